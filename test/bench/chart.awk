# SPDX-License-Identifier: BSD-2-Clause
#
# chart.awk - bench.svg from what raw.awk has read: a panel for each row, in it a
# bar for each allocator, with a line from the least to the most.  Colours are
# for light and for dark pages, as the reader's browser says.

function number(x)
{
	return x < 9.995 ? sprintf("%.2f", x) : \
	    x < 99.95 ? sprintf("%.1f", x) : sprintf("%.0f", x)
}

function bar(x, y, v, r, scale, best)
{
	if (!spread(v, r))
		return
	printf "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"" \
	    " class=\"%s\"/>\n", x + NAME, y, med * scale + 0.5, BAR - 4, \
	    ours(v) ? v : "peer"
	if (most > least)
		printf "<path d=\"M%.1f %.1fH%.1f\" class=\"range\"/>\n", \
		    x + NAME + least * scale, y + (BAR - 4) / 2, \
		    x + NAME + most * scale
	text(x + NAME - 6, y + BAR - 6, ours(v) ? "name our" : "name", v)
	text(x + NAME + (most > med ? most : med) * scale + 5, y + BAR - 6, \
	    v == best ? "value best" : "value", number(med))
}

function panel(x, y, r,    i, top, best, m)
{
	top = 0
	for (i = 1; i <= nvariants; i++) {
		if (!spread(variant[i], r))
			continue
		if (most > top)
			top = most
		if (best == "" || med < m) {
			best = variant[i]
			m = med
		}
	}
	text(x, y + 14, "row", r)
	text(x + WIDTH - 24, y + 14, "unit", \
	    r ~ /^latency/ ? "ns" : "ns a pair")
	for (i = 1; i <= nvariants; i++)
		bar(x, y + 22 + (i - 1) * BAR, variant[i], r, \
		    top > 0 ? LENGTH / top : 0, best)
}

END {
	WIDTH = 320
	NAME = 66
	LENGTH = 170
	BAR = 17
	COLUMNS = 3
	for (i = 1; i <= nrows; i++)
		if (row[i] !~ /^\(/)
			shown[++nshown] = row[i]
	tall = 22 + nvariants * BAR + 20
	head = 84 + nlines * 15
	svg_begin("libuma and the allocators of this machine", \
	    COLUMNS * WIDTH + 24, \
	    head + int((nshown + COLUMNS - 1) / COLUMNS) * tall + 10, \
	    ".row{font-size:13px;font-weight:600}" \
	    ".name{text-anchor:end;" \
	    "fill:#57606a}.our{fill:#0b5cad;font-weight:600}" \
	    ".best{font-weight:700}.inline{fill:#0b5cad}" \
	    ".static{fill:#3f8fd6}.shared{fill:#8fc0ea}.peer{fill:#c2b8a8}" \
	    ".range{stroke:#24292f;stroke-opacity:.65}", \
	    ".name{fill:#9da7b3}" \
	    ".our{fill:#79b8f5}.inline{fill:#79b8f5}.static{fill:#4a90d0}" \
	    ".shared{fill:#2f628f}.peer{fill:#6b645a}" \
	    ".range{stroke:#e6edf3}")
	svg_about("libuma and the allocators of this machine: " \
	    "shorter is better", NAME)
	text(24, 60 + nlines * 15, "unit key", "inline, static, shared: " \
	    "libuma.  Bars are medians over the rounds, lines reach from " \
	    "the least to the most, the best number is bold.")
	for (i = 1; i <= nshown; i++)
		panel(24 + (i - 1) % COLUMNS * WIDTH, \
		    head + int((i - 1) / COLUMNS) * tall, shown[i])
	print "</svg>"
}
