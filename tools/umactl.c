/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * umactl - read and set the numbers and settings of another process, in the
 * manner of FreeBSD's sysctl(8).
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

enum { EXIT_NAME = 1, EXIT_USAGE = 2, EXIT_PROCESS = 3 };
enum { NAME_MAX_LEN = 1024 }; /* of a request */

static struct options {
	bool all; /* -a */
	bool raw; /* -b */
	bool sources; /* -C */
	bool descr; /* -d */
	bool equals; /* -e */
	bool ignore; /* -i */
	bool names; /* -N */
	bool no_names; /* -n */
	bool opaque; /* -o */
	bool quiet; /* -q */
	bool tunable; /* -T */
	bool type; /* -t */
	bool writable; /* -W */
	bool hex; /* -x */
} opt;

static struct ctl *process;
static int result; /* the exit status so far */

static void
complain(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("umactl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	putc('\n', stderr);
}

static _Noreturn void
usage(void)
{
	fputs("usage: umactl -p PID|SOCKET [-bCdeiNnoqTtWx] [-f FILE] "
	      "NAME[=VALUE] ...\n"
	      "       umactl -p PID|SOCKET [-bCdeNnoqTtWx] -a\n"
	      "       umactl [-n] -l\n",
	    stderr);
	exit(EXIT_USAGE);
}

static const char *
printable(const char *text)
{
	return ctl_printable(text, strlen(text));
}

/*
 * Say what is wrong with a name, if that is wanted; the process that does not
 * answer any more ends us.
 */
static void
failed(const char *name, int error)
{
	if (error == CTL_LOST) {
		complain("%s", ctl_error());
		exit(EXIT_PROCESS);
	}
	if (error == ENOENT && opt.ignore)
		return;
	result = EXIT_NAME;
	if (process->note != NULL && !opt.quiet) {
		complain("%s", process->note);
		process->note = NULL;
	}
	if (error == ENOENT)
		complain("unknown name '%s'", printable(name));
	else if (!opt.quiet)
		complain("%s: %s", printable(name), strerror(error));
}

/* ---- values ---- */

/* FreeBSD's word for a type, and its bytes, if it is a number. */
static const struct type {
	const char *name, *long_name;
	size_t size;
} types[] = {
    {"node", "node", 0},
    {"string", "string", 0},
    {"int", "integer", 4},
    {"uint", "unsigned integer", 4},
    {"long", "long integer", 8},
    {"ulong", "unsigned long", 8},
    {"s64", "int64_t", 8},
    {"u64", "uint64_t", 8},
    {"u16", "uint16_t", 2},
    {"s32", "int32_t", 4},
    {"u32", "uint32_t", 4},
    {"opaque", "opaque", 0},
};

static const struct type *
type_of(const char *name)
{
	size_t i = 0;

	while (strcmp(types[i].name, name) != 0 &&
	       i < sizeof types / sizeof types[0] - 1)
		i++;
	return &types[i];
}

/* The next number of a text, as its bits; false: no more. */
static bool
next_number(const char **text, uint64_t *v)
{
	char *end;

	*v = **text == '-' ? (uint64_t)strtoll(*text, &end, 10)
			   : strtoull(*text, &end, 10);
	if (end == *text)
		return false;
	*text = end + strspn(end, " ");
	return true;
}

static void
print_raw(const struct ctl_value *v, const struct type *t)
{
	const char *text = v->bytes;
	uint64_t n;

	if (strcmp(t->name, "opaque") == 0)
		fwrite(v->bytes, 1, v->len, stdout);
	else if (t->size == 0)
		fwrite(v->bytes, 1, v->len - (v->len > 0), stdout);
	else
		while (next_number(&text, &n))
			fwrite(&n, 1, t->size, stdout);
}

static void
print_hex(const struct ctl_value *v, const struct type *t)
{
	const char *text = v->bytes, *between = "";
	uint64_t n, mask = UINT64_MAX >> (64 - 8 * t->size);

	while (next_number(&text, &n)) {
		printf("%s0x%0*" PRIx64, between, (int)(2 * t->size), n & mask);
		between = " ";
	}
}

static void
print_opaque(const struct ctl_value *v)
{
	size_t shown = opt.hex || v->len < 16 ? v->len : 16;

	printf("Format: Length:%zu Dump:0x", v->len);
	for (size_t i = 0; i < shown; i++)
		printf("%02x", (unsigned char)v->bytes[i]);
	if (shown < v->len)
		printf("...");
}

static void
print_value(const struct ctl_value *v)
{
	const struct type *t = type_of(v->type);

	if (opt.raw)
		print_raw(v, t);
	else if (strcmp(t->name, "opaque") == 0)
		print_opaque(v);
	else if (opt.hex && t->size > 0)
		print_hex(v, t);
	else
		fputs(ctl_printable(v->bytes, v->len - (v->len > 0)), stdout);
}

/* ---- names ---- */

static const char *
separator(void)
{
	return opt.equals ? "=" : ": ";
}

static void
print_name(const char *name)
{
	if (!opt.no_names && !opt.raw)
		printf("%s%s", printable(name), separator());
}

static void
print_words(const char *name, const struct ctl_info *info)
{
	print_name(name);
	if (opt.type)
		fputs(type_of(info->type)->long_name, stdout);
	if (opt.type && opt.descr)
		fputs(separator(), stdout);
	if (opt.descr)
		fputs(printable(info->descr), stdout);
	putchar('\n');
}

/* The name and the value; whether there was something to print. */
static bool
print_node(const char *name, const struct ctl_info *info)
{
	struct ctl_value v = {.bytes = NULL};
	int error = process->get(process, name, &v);

	if (error != 0)
		failed(name, error);
	else {
		print_name(name);
		print_value(&v);
		if (info != NULL && opt.sources)
			printf(" (%s)", printable(info->source));
	}
	ctl_value_free(&v);
	return error == 0;
}

/* What options leave out of a walk.  False: info has the reason, or not. */
static bool
is_wanted(const struct ctl_info *info)
{
	return (!opt.writable || strchr(info->access, 'w') != NULL) &&
	       (!opt.tunable || strchr(info->access, 't') != NULL) &&
	       (!opt.sources || strcmp(info->source, "-") != 0) &&
	       (strcmp(info->type, "opaque") != 0 || opt.opaque || opt.hex ||
		   opt.raw || opt.names || opt.descr || opt.type);
}

/* One of a walk: it may have gone meanwhile. */
static void
show_walked(const char *name)
{
	struct ctl_info info;
	int error;

	if (opt.names && !opt.writable && !opt.tunable && !opt.sources) {
		puts(printable(name));
		return;
	}
	error = process->describe(process, name, &info);
	if (error == ENOENT)
		return;
	if (error != 0) {
		failed(name, error);
		return;
	}
	if (!is_wanted(&info))
		return;
	if (opt.names)
		puts(printable(name));
	else if (opt.type || opt.descr)
		print_words(name, &info);
	else if (print_node(name, &info) && !opt.raw)
		putchar('\n');
}

static bool
is_below(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	return len == 0 ||
	       (strncmp(name, prefix, len) == 0 && name[len] == '.');
}

/* A page of names; false: that was the last of them. */
static bool
show_page(char *text, const char *prefix, char **last)
{
	char *save = NULL, *name = strtok_r(text, "\n", &save);

	if (name == NULL)
		return false;
	for (; name != NULL; name = strtok_r(NULL, "\n", &save)) {
		if (!is_below(name, prefix))
			return false;
		show_walked(name);
		free(*last);
		*last = strdup(name);
	}
	return *last != NULL;
}

static void
show_below(const char *prefix)
{
	char *last = strdup(prefix);
	bool more = last != NULL;

	while (more) {
		struct ctl_value v = {.bytes = NULL};
		int error = process->list(process, last, &v);

		more = error == 0 && show_page(v.bytes, prefix, &last);
		ctl_value_free(&v);
		if (error != 0)
			failed(prefix, error);
	}
	free(last);
}

static void
show(const char *name)
{
	struct ctl_info info;
	int error = process->describe(process, name, &info);

	if (error != 0)
		failed(name, error);
	else if (strcmp(info.type, "node") == 0 && !opt.descr && !opt.type)
		show_below(name);
	else if (opt.names)
		puts(printable(name));
	else if (opt.type || opt.descr)
		print_words(name, &info);
	else if (print_node(name, &info) && !opt.raw)
		putchar('\n');
}

/* "name: old -> new" */
static void
set(const char *name, const char *value)
{
	struct ctl_value old = {.bytes = NULL}, new = {.bytes = NULL};
	int error = process->get(process, name, &old);

	if (error == 0 || (error == ENOENT && process->note != NULL))
		error = process->set(process, name, value);
	if (error == 0)
		error = process->get(process, name, &new);
	if (error != 0)
		failed(name, error);
	else if (!opt.quiet) {
		print_name(name);
		if (!opt.equals)
			print_value(&old);
		if (!opt.equals && !opt.raw)
			fputs(" -> ", stdout);
		print_value(&new);
		if (!opt.raw)
			putchar('\n');
	}
	ctl_value_free(&old);
	ctl_value_free(&new);
}

/*
 * The form that names come in: blanks and control bytes as \xNN, in lower case.
 * Longer than any name is can be cut.
 */
static void
canonical(char name[NAME_MAX_LEN], const char *text)
{
	size_t len = 0;

	for (; *text != '\0' && len + 5 < NAME_MAX_LEN; text++) {
		unsigned char c = (unsigned char)*text;

		if (c <= ' ' || c == 0x7f) {
			len += (size_t)sprintf(name + len, "\\x%02x", c);
		} else if (c == '\\' && text[1] == 'x' &&
			   isxdigit((unsigned char)text[2]) &&
			   isxdigit((unsigned char)text[3])) {
			len += (size_t)sprintf(name + len, "\\x%c%c",
			    tolower(text[2]), tolower(text[3]));
			text += 3;
		} else {
			name[len++] = *text;
		}
	}
	name[len] = '\0';
}

/* A name, or name=value, which is changed. */
static void
take(char *text)
{
	char *equals = strchr(text, '='), name[NAME_MAX_LEN];

	if (equals != NULL)
		*equals = '\0';
	canonical(name, text);
	if (equals == NULL)
		show(name);
	else
		set(name, equals + 1);
}

/* ---- files ---- */

/* Without the comment, and blanks at both ends. */
static char *
trim(char *line)
{
	char *end;

	line[strcspn(line, "#\n")] = '\0';
	line += strspn(line, " \t");
	end = line + strlen(line);
	while (end > line && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return line;
}

/* name=value with blanks about the =, and perhaps quotes about the value. */
static void
take_line(char *line)
{
	char *value = strchr(line, '='), name[NAME_MAX_LEN];

	if (value == NULL) {
		take(line);
		return;
	}
	*value++ = '\0';
	value = trim(value);
	size_t len = strlen(value);
	if (len >= 2 && (value[0] == '"' || value[0] == '\'') &&
	    value[len - 1] == value[0]) {
		value[len - 1] = '\0';
		value++;
	}
	canonical(name, trim(line));
	set(name, value);
}

static void
take_file(const char *path)
{
	char *line = NULL;
	size_t size = 0;
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");

	if (f == NULL) {
		complain("%s: %s", printable(path), strerror(errno));
		result = EXIT_NAME;
		return;
	}
	while (getline(&line, &size, f) >= 0) {
		char *text = trim(line);

		if (*text != '\0')
			take_line(text);
	}
	free(line);
	if (f != stdin)
		fclose(f);
}

/* ---- the command line ---- */

static void
set_option(int c)
{
	static const struct {
		int c;
		bool *flag;
	} flags[] = {
	    {'a', &opt.all},
	    {'b', &opt.raw},
	    {'C', &opt.sources},
	    {'d', &opt.descr},
	    {'e', &opt.equals},
	    {'i', &opt.ignore},
	    {'N', &opt.names},
	    {'n', &opt.no_names},
	    {'o', &opt.opaque},
	    {'q', &opt.quiet},
	    {'T', &opt.tunable},
	    {'t', &opt.type},
	    {'W', &opt.writable},
	    {'x', &opt.hex},
	};

	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		if (flags[i].c == c) {
			*flags[i].flag = true;
			return;
		}
	}
	usage();
}

static struct ctl *
open_process(const char *where)
{
	char *end;
	long pid = strtol(where, &end, 10);

	if (strchr(where, '/') != NULL)
		return ctl_socket(where, 0);
	if (end == where || *end != '\0' || pid <= 0) {
		complain("'%s' is neither a process nor the path of a socket",
		    printable(where));
		exit(EXIT_USAGE);
	}
	return ctl_process(pid);
}

int
main(int argc, char **argv)
{
	const char *where = NULL, *file = NULL;
	bool list = false;
	int c;

	while ((c = getopt(argc, argv, "abCdef:ilNnop:qTtWx")) != -1) {
		if (c == 'p')
			where = optarg;
		else if (c == 'f')
			file = optarg;
		else if (c == 'l')
			list = true;
		else
			set_option(c);
	}
	if (list)
		return ctl_list_processes(!opt.no_names) ? 0 : EXIT_PROCESS;
	opt.all |= opt.sources && optind == argc && file == NULL;
	if (where == NULL || opt.all == (optind < argc || file != NULL))
		usage();
	process = open_process(where);
	if (process == NULL) {
		complain("%s", ctl_error());
		return EXIT_PROCESS;
	}
	if (opt.all)
		show_below("");
	if (file != NULL)
		take_file(file);
	for (; optind < argc; optind++)
		take(argv[optind]);
	process->close(process);
	return fflush(stdout) == 0 ? result : EXIT_NAME;
}
