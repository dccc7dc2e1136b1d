# SPDX-License-Identifier: BSD-2-Clause
#
# raw.awk - read the files variants, about and raw of a run, in this order:
#
#     variant[1..nvariants], how[v] archive or shared, about_variant[v]
#     line[1..nlines]                    of about
#     row[1..nrows]
#     value[v, r, 1..times[v, r]]        a round each
#     round_value[v, r, round]           the same by its round
#
# and what the tables are made of.

# The median of list[1..n], sorting it.
function median(list, n,    i, j, t)
{
	for (i = 2; i <= n; i++) {
		t = list[i]
		for (j = i - 1; j > 0 && list[j] > t; j--)
			list[j + 1] = list[j]
		list[j + 1] = t
	}
	return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

# Set med, least and most of a variant's values in a row; false: none.
function spread(v, r,    i, n, list)
{
	n = times[v, r]
	for (i = 1; i <= n; i++)
		list[i] = value[v, r, i]
	if (n == 0)
		return 0
	med = median(list, n)
	least = list[1]
	most = list[n]
	return 1
}

# The same of the ratios of v to base, both of one round.
function ratios(v, base, r,    i, n, list)
{
	n = 0
	for (i = 0; i < nrounds; i++)
		if ((v, r, i) in round_value && round_value[base, r, i] > 0)
			list[++n] = round_value[v, r, i] / \
			    round_value[base, r, i]
	if (n == 0)
		return 0
	med = median(list, n)
	least = list[1]
	most = list[n]
	return 1
}

function ours(v)
{
	return v == "inline" || v == "static" || v == "shared"
}

FNR == 1 {
	file++
}
file == 1 {
	variant[++nvariants] = $1
	how[$1] = $2
	about_variant[$1] = $0
	sub(/^[^ ]* [^ ]* /, "", about_variant[$1])
	next
}
file == 2 {
	line[++nlines] = $0
	next
}
{
	split($0, field, "\t")
	v = field[2]
	r = field[3]
	if (!(r in known)) {
		known[r] = 1
		row[++nrows] = r
	}
	value[v, r, ++times[v, r]] = field[4]
	round_value[v, r, field[1] + 0] = field[4]
	if (field[1] >= nrounds)
		nrounds = field[1] + 1
}
