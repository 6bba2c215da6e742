// SPDX-License-Identifier: GPL-2.0-only
/* The serial line, formatted output, and the end of the guest. */
#include "guest.h"

void *memcpy(void *dst, const void *src, unsigned long n)
{
	void *d = dst;

	asm volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
	return dst;
}

void *memset(void *dst, int c, unsigned long n)
{
	void *d = dst;

	asm volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
	return dst;
}

bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

void serial_init(void)
{
	outb(COM1 + 1, 0);	/* no interrupts */
	outb(COM1 + 3, 0x80);
	outb(COM1 + 0, 1);	/* 115200 baud */
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 3);	/* 8n1 */
	outb(COM1 + 2, 7);	/* FIFO, emptied */
	outb(COM1 + 4, 3);
}

static void put(char c)
{
	while (!(inb(COM1 + 5) & 0x20))
		;
	outb(COM1, c);
}

static void put_string(const char *s, int width)
{
	for (; *s; s++, width--)
		put(*s);
	for (; width > 0; width--)
		put(' ');
}

static void put_number(u64 v, unsigned int base, int width, char fill)
{
	char digits[24];
	int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	for (; width > n; width--)
		put(fill);
	while (n)
		put(digits[--n]);
}

void vsay(const char *fmt, va_list ap)
{
	for (; *fmt; fmt++) {
		char fill = ' ';
		int width = 0;
		bool is_long = false;
		u64 v;

		if (*fmt != '%') {
			put(*fmt);
			continue;
		}
		if (*++fmt == '0')
			fill = *fmt++;
		for (; *fmt >= '0' && *fmt <= '9'; fmt++)
			width = width * 10 + *fmt - '0';
		for (; *fmt == 'l'; fmt++)
			is_long = true;
		if (*fmt == 's') {
			put_string(va_arg(ap, const char *), width);
			continue;
		}
		if (*fmt == 'c') {
			put(va_arg(ap, int));
			continue;
		}
		v = is_long ? va_arg(ap, u64) : va_arg(ap, u32);
		if (*fmt == 'd' && !is_long && (int)v < 0) {
			put('-');
			v = -(int)v;
		}
		put_number(v, *fmt == 'x' ? 16 : 10, width, fill);
	}
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
}

void exit_guest(u8 code)
{
	while (!(inb(COM1 + 5) & 0x40))	/* the last byte is out */
		;
	outb(DEBUG_EXIT_PORT, code);
	for (;;)
		asm volatile("cli; hlt");
}

void die(const char *fmt, ...)
{
	va_list ap;

	say("Bail out! ");
	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
	say("\n");
	exit_guest(1);
}
