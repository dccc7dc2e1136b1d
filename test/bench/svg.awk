# SPDX-License-Identifier: BSD-2-Clause
#
# svg.awk - what the charts share: text, and their heads.

function escape(s)
{
	gsub(/&/, "\\&amp;", s)
	gsub(/</, "\\&lt;", s)
	gsub(/>/, "\\&gt;", s)
	return s
}

function text(x, y, class, s)
{
	printf "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">%s</text>\n", \
	    x, y, class, escape(s)
}

# Begin a picture: what it is called, its size, its style.
function svg_begin(title, wide, high, style, dark)
{
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\"" \
	    " height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n", \
	    wide, high, wide, high
	print "<title>" escape(title) "</title>"
	print "<style>"
	print "svg{font-family:system-ui,-apple-system,\"Segoe UI\"," \
	    "\"DejaVu Sans\",sans-serif;font-size:11px}"
	print ".page{fill:#fff}text{fill:#24292f}.head{font-size:18px;" \
	    "font-weight:600}.unit{fill:#6e7781;text-anchor:end}" \
	    ".key{text-anchor:start}" style
	print "@media(prefers-color-scheme:dark){.page{fill:#0d1117}" \
	    "text{fill:#e6edf3}.unit{fill:#8d96a0}" dark "}"
	print "</style>"
	printf "<rect width=\"%d\" height=\"%d\" class=\"page\"/>\n", wide, high
}

# The head line and what has to be known about the run: line[1..nlines].
function svg_about(head, indent,    i, word, rest)
{
	text(24, 32, "head", head)
	for (i = 1; i <= nlines; i++) {
		split(line[i], word, " ")
		text(24, 38 + i * 15, "key", word[1])
		rest = line[i]
		sub(/^[^ ]* +/, "", rest)
		text(24 + indent, 38 + i * 15, "key", rest)
	}
}
