// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "pksctl.h"

static void vsay(const char *fmt, va_list ap)
{
	char text[4 * LINE_SIZE];

	vsnprintf(text, sizeof(text), fmt, ap);
	clean(text);
	fflush(stdout);
	fprintf(stderr, "pksctl: %s\n", text);
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
}

void die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
	exit(status);
}

void put(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, size, fmt, ap);
	va_end(ap);
}

void clean(char *text)
{
	unsigned char *c = (unsigned char *)text;

	/* UTF-8 has control characters, too: 0xc2 and 0x80 to 0x9f. */
	for (; *c; c++)
		if (*c < ' ' || *c == 127 || (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0))
			*c = '?';
}

bool read_line(char *buf, size_t size, const char *fmt, ...)
{
	char path[PATH_SIZE];
	va_list ap;
	FILE *f;
	bool got;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	*buf = 0;
	f = fopen(path, "re");
	if (!f)
		return false;
	got = fgets(buf, size, f);
	fclose(f);
	buf[strcspn(buf, "\n")] = 0;
	return got;
}

bool there(const char *fmt, ...)
{
	char path[PATH_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	return !access(path, F_OK);
}

int each(const char *folder, void (*see)(const char *name, void *arg), void *arg)
{
	DIR *dir = opendir(folder);
	struct dirent *d;
	int n = 0;

	while (dir && (d = readdir(dir))) {
		if (*d->d_name == '.')
			continue;
		n++;
		if (see)
			see(d->d_name, arg);
	}
	if (dir)
		closedir(dir);
	return n;
}

bool read_all(int fd, size_t max, struct blob *b)
{
	size_t room = 0;
	ssize_t n;

	*b = (struct blob){ 0 };
	do {
		if (b->size == room) {
			room = room ? 2 * room : 65536;
			b->data = realloc(b->data, room);
			if (!b->data)
				die(CANNOT, "there is no memory left");
		}
		n = read(fd, b->data + b->size, room - b->size);
		if (n > 0)
			b->size += n;
	} while ((n > 0 && b->size <= max) || (n < 0 && errno == EINTR));
	if (n > 0)
		errno = EFBIG;
	return !n;
}

double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static void json_string(FILE *out, const char *s)
{
	putc('"', out);
	for (; *s; s++) {
		unsigned char c = *s;

		/* What is not ASCII need not be UTF-8. */
		if (c == '\n')
			fputs("\\n", out);
		else if (c < ' ' || c > 126)
			fprintf(out, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

static void json_key(struct json *j, const char *key)
{
	if (j->comma)
		putc(',', j->out);
	j->comma = true;
	if (!key)
		return;
	json_string(j->out, key);
	putc(':', j->out);
}

void json_open(struct json *j, const char *key, char bracket)
{
	json_key(j, key);
	putc(bracket, j->out);
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	putc(bracket, j->out);
	j->comma = true;
}

void json_text(struct json *j, const char *key, const char *value)
{
	json_key(j, key);
	if (value)
		json_string(j->out, value);
	else
		fputs("null", j->out);
}

void json_number(struct json *j, const char *key, double value)
{
	json_key(j, key);
	fprintf(j->out, "%.12g", value);
}

void json_tri(struct json *j, const char *key, enum tri value)
{
	json_key(j, key);
	fputs(value == UNKNOWN ? "null" : value ? "true" : "false", j->out);
}
