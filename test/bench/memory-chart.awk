# SPDX-License-Identifier: BSD-2-Clause
#
# memory-chart.awk - memory.svg from what memory-raw.awk has read: resident
# memory over time, a line for each allocator, over the area of what is live.
# Colours are for light and for dark pages, as the reader's browser says.

function x_of(ms)
{
	return LEFT + ms / most_ms * WIDE
}

function y_of(bytes)
{
	return TOP + HIGH - (bytes < 0 ? 0 : bytes) / top * HIGH
}

function points(v, what, from,    i, d)
{
	d = ""
	for (i = 1; i <= nsamples[v]; i++)
		d = d sprintf("%s%.1f %.1f", i == 1 ? from : "L", \
		    x_of(sample[v, i, "ms"]), y_of(sample[v, i, what]))
	return d
}

function scale(    i, v, j, step)
{
	for (j = 1; j <= ntimelines; j++) {
		v = timeline[j]
		for (i = 1; i <= nsamples[v]; i++) {
			if (sample[v, i, "resident"] > top)
				top = sample[v, i, "resident"]
			if (sample[v, i, "ms"] > most_ms)
				most_ms = sample[v, i, "ms"]
		}
	}
	top *= 1.05
	step = 50 * MIB
	for (i = 0; i < top; i += step) {
		printf "<path d=\"M%d %.1fh%d\" class=\"grid\"/>\n", LEFT, \
		    y_of(i), WIDE
		text(LEFT - 6, y_of(i) + 4, "unit", sprintf("%d MiB", i / MIB))
	}
	for (i = 0; i <= most_ms; i += 500)
		text(x_of(i) + 8, TOP + HIGH + 16, "unit", \
		    sprintf("%.1f s", i / 1000))
}

# Lines where a phase ends, by the first allocator's clock; named as far as the
# names have room.
function phases(    i, v, x, taken)
{
	v = timeline[1]
	taken = 0
	for (i = 1; i <= nphases; i++) {
		x = x_of(phase[v, i, "ms"])
		printf "<path d=\"M%.1f %dv%d\" class=\"phase\"/>\n", x, \
		    TOP - 14, HIGH + 14
		if (x - 6 * length(phase_name[i]) < taken - 8)
			continue
		text(x - 4, TOP - 4, "unit", phase_name[i])
		taken = x
	}
}

function legend(    i, v, last)
{
	for (i = 1; i <= ntimelines; i++) {
		v = timeline[i]
		printf "<path d=\"M%d %dh24\" class=\"line c%d\"/>\n", \
		    LEFT + WIDE + 14, TOP + i * 20, i
		text(LEFT + WIDE + 44, TOP + i * 20 + 4, i == 1 ? "key our" : \
		    "key", v)
	}
	printf "<rect x=\"%d\" y=\"%d\" width=\"24\" height=\"10\"" \
	    " class=\"live\"/>\n", LEFT + WIDE + 14, TOP + i * 20 - 5
	text(LEFT + WIDE + 44, TOP + i * 20 + 4, "key", "live bytes")
}

END {
	LEFT = 80
	WIDE = 760
	HIGH = 300
	TOP = 100 + nlines * 15
	svg_begin("Resident memory over time", LEFT + WIDE + 150, \
	    TOP + HIGH + 40, \
	    ".our{fill:#0b5cad;font-weight:600}" \
	    ".grid{stroke:#d8dee4}.phase{stroke:#8c959f;" \
	    "stroke-dasharray:2 3}.live{fill:#d8dee4}" \
	    ".line{fill:none;stroke-width:1.6}.c1{stroke:#0b5cad;" \
	    "stroke-width:2.6}.c2{stroke:#cf4a30}.c3{stroke:#2f8f46}" \
	    ".c4{stroke:#2f8f46;stroke-dasharray:5 3}.c5{stroke:#9a6bd0}" \
	    ".c6{stroke:#b08a1e}", \
	    ".our{fill:#79b8f5}.grid{stroke:#21262d}.live{fill:#2d333b}" \
	    ".c1{stroke:#79b8f5}.c2{stroke:#f08872}.c3,.c4{stroke:#6cc683}" \
	    ".c5{stroke:#bf9bec}.c6{stroke:#d8b64a}")
	svg_about("Resident memory over time: lower is better", 66)
	text(24, 56 + nlines * 15, "unit key", caption)
	# The area goes first, under the grid and the lines.
	most_ms = top = 1
	scale()
	v = timeline[1]
	printf "<path d=\"M%.1f %.1f%sV%.1fZ\" class=\"live\"/>\n", \
	    x_of(sample[v, 1, "ms"]), y_of(0), points(v, "live", "L"), y_of(0)
	phases()
	for (i = ntimelines; i > 0; i--)
		printf "<path d=\"%s\" class=\"line c%d\"/>\n", \
		    points(timeline[i], "resident", "M"), i
	legend()
	print "</svg>"
}
