# SPDX-License-Identifier: BSD-2-Clause
#
# memory-raw.awk - read the files variants, about and memory of a run, in this
# order; the last has "variant kind fields", which memory.c explains:
#
#     line[1..nlines]                    of about
#     timeline[1..ntimelines]            variants that have one
#     phase_name[1..nphases], phase[v, i, "ms" "resident" "live"]
#     nsamples[v], sample[v, i, "ms" "resident" "live"]
#     sized[1..nsized]                   variants that have a footprint
#     size[1..nsizes], items[size], footprint[v, size, 1..4]
#     gibibyte[v, 1..7], stall[v, quiet or reclaim, clock, same or other, 1..4]
#     huge[v, size, 1..6], nhuge, huge_name[1..nhuge]
#     zones[1..nzones]                   the growth after each round

BEGIN {
	FS = "\t"
	MIB = 1048576
}
FNR == 1 {
	file++
}
file == 1 {
	split($0, word, " ")
	name = word[1] == "static" ? "libuma" : word[1]
	sub(/^[^ ]* [^ ]* /, "")
	if (word[1] != "inline" && word[1] != "shared")
		known[++nknown] = sprintf("%-8s %s, %s", name, $0, word[2])
	next
}
file == 2 {
	line[++nlines] = $0
	next
}
$2 == "phase" {
	if (!($1 in nphase))
		timeline[++ntimelines] = $1
	i = ++nphase[$1]
	if (i > nphases)
		phase_name[nphases = i] = $3
	phase[$1, i, "ms"] = $4
	phase[$1, i, "resident"] = $5
	phase[$1, i, "live"] = $6
}
$2 == "sample" {
	i = ++nsamples[$1]
	sample[$1, i, "ms"] = $3
	sample[$1, i, "resident"] = $4
	sample[$1, i, "live"] = $5
}
$2 == "footprint" {
	if (!(($1, "seen") in footprint)) {
		footprint[$1, "seen"] = 1
		sized[++nsized] = $1
	}
	if (!($3 in items)) {
		size[++nsizes] = $3
		items[$3] = $4
	}
	for (i = 1; i <= 4; i++)
		footprint[$1, $3, i] = $(i + 4)
}
$2 == "gibibyte" {
	stalled[++nstalled] = $1
	for (i = 1; i <= 7; i++)
		gibibyte[$1, i] = $(i + 2)
}
$2 == "stall" {
	for (i = 1; i <= 4; i++)
		stall[$1, $3, $4, i] = $(i + 4)
}
$2 == "huge" {
	if (!($1 in seen_huge))
		huge_name[++nhuge] = $1
	# Of several runs the quickest: disturbances only ever add.
	if (($1, $3, 1) in huge && huge[$1, $3, 1] <= $5)
		next
	seen_huge[$1] = 1
	for (i = 1; i <= 6; i++)
		huge[$1, $3, i] = $(i + 4)
}
$2 == "zones" {
	nzones = 0
	for (i = 4; i <= NF; i++)
		zones[++nzones] = $i
}
