# SPDX-License-Identifier: BSD-2-Clause
#
# table.awk - bench.txt from what raw.awk has read.

function heading(list, n,    i)
{
	printf "%-17s", ""
	for (i = 1; i <= n; i++)
		printf " %8s", list[i]
	print ""
}

function number(x)
{
	return x < 9.995 ? sprintf("%.2f", x) : \
	    x < 99.95 ? sprintf("%.1f", x) : sprintf("%.0f", x)
}

# A line for a row: medians, the least of them with a star.
function medians(r,    i, best, m)
{
	best = 0
	for (i = 1; i <= nvariants; i++) {
		m[i] = spread(variant[i], r) ? med : -1
		if (m[i] >= 0 && (best == 0 || m[i] < m[best]))
			best = i
	}
	printf "%-17s", r
	for (i = 1; i <= nvariants; i++)
		printf " %7s%s", m[i] < 0 ? "-" : number(m[i]), \
		    i == best && r !~ /^\(/ ? "*" : " "
	print ""
}

# Three lines for a row: ratios to glibc, median, least and most.
function to_glibc(r,    i, v, text)
{
	text[1] = text[2] = text[3] = ""
	for (i = 1; i <= nvariants; i++) {
		v = variant[i]
		if (v == "glibc")
			continue
		if (!ratios(v, "glibc", r))
			med = least = most = 0
		text[1] = text[1] sprintf(" %8.2f", med)
		text[2] = text[2] sprintf(" %8.2f", least)
		text[3] = text[3] sprintf(" %8.2f", most)
	}
	printf "%-14s med.%s\n", r, text[1]
	printf "%-14s min.%s\n", "", text[2]
	printf "%-14s max.%s\n", "", text[3]
}

# The malloc with the least median in a row.
function best_malloc(r,    i, best, m)
{
	best = ""
	for (i = 1; i <= nvariants; i++)
		if (!ours(variant[i]) && spread(variant[i], r) && \
		    (best == "" || med < m)) {
			best = variant[i]
			m = med
		}
	return best
}

function to_best(r,    i, v, best)
{
	best = best_malloc(r)
	printf "%-14s %-8s", r, best
	for (i = 1; i <= nvariants; i++) {
		v = variant[i]
		if (ours(v) && ratios(v, best, r))
			printf "  %5.2f (%.2f-%.2f)", med, least, most
	}
	print ""
}

# A row that says what the others contain is compared with nothing.
function is_compared(r)
{
	return r !~ /^\(/
}

function print_about(    i)
{
	print "libuma and the allocators of this machine"
	print ""
	for (i = 1; i <= nlines; i++)
		print line[i]
	print ""
	for (i = 1; i <= nvariants; i++)
		printf "%-8s %s, %s\n", variant[i], \
		    about_variant[variant[i]], how[variant[i]]
	print ""
	print "test/bench/bench.c says what the rows are."
}

function print_times(    i)
{
	print "\nCPU time in ns for an allocation and a free (latency: what"
	print "passes during one allocation): median over the rounds, * the"
	print "least.\n"
	heading(variant, nvariants)
	for (i = 1; i <= nrows; i++)
		medians(row[i])
}

function print_to_best(    i)
{
	print "\nlibuma's times divided by those of the best malloc in the row:"
	print "median over the rounds, and the least and the most.\n"
	printf "%-14s %-8s", "", "best"
	for (i = 1; i <= nvariants; i++)
		if (ours(variant[i]))
			printf "  %-17s", " " variant[i]
	print ""
	for (i = 1; i <= nrows; i++)
		if (is_compared(row[i]))
			to_best(row[i])
}

function print_to_glibc(    i, n, others)
{
	print "\nTimes divided by glibc's: the same.\n"
	for (i = 1; i <= nvariants; i++)
		if (variant[i] != "glibc")
			others[++n] = variant[i]
	printf "  "
	heading(others, n)
	for (i = 1; i <= nrows; i++)
		if (is_compared(row[i]))
			to_glibc(row[i])
}

END {
	print_about()
	print_times()
	print_to_best()
	print_to_glibc()
}
