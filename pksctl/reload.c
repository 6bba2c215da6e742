// SPDX-License-Identifier: GPL-2.0-only
/*
 * pksctl reload: from the modules that are loaded to those that modprobe loads.
 * What can be known to fail is looked at while the old ones are in their place,
 * and what would take their place again is in memory before they go. That one
 * is in use the kernel itself decides, when it is asked to unload it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include "pksctl.h"

#define OPTIONS_SIZE 4096
#define NAMED 10	/* users of KVM that the sentence names */

/* In the order in which they are loaded. */
enum { KVM, INTEL, SET };
static const char *const names[SET] = { "kvm", "kvm_intel" };

/* A pair that fits together, in memory. */
struct set {
	bool there;
	struct blob module[SET];
};

static char release[65];
static struct module now[SET];
static char options[SET][OPTIONS_SIZE];	/* of modprobe.d and the kernel's command line */
static struct set former, stock;
static char sentence[8 * LINE_SIZE];	/* how it ended */

static int ended(int status, const char *fmt, ...) SAYS(2);
static int ended(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	clean(sentence);
	return status;
}

/*
 * Runs modprobe, with OPTION if that is not NULL; what it prints goes to TEXT.
 * In a process group of its own: what the terminal sends us must not stop it
 * half-way. False if it failed; TEXT is then one line.
 */
static bool modprobe(char *option, char *text, size_t size)
{
	char *argv[] = { "modprobe", option ? option : "kvm_intel", option ? "kvm_intel" : NULL, NULL };
	struct blob b = { 0 };
	int p[2], status = -1;
	pid_t pid = -1;

	if (pipe2(p, O_CLOEXEC)) {
		put(text, size, "modprobe cannot be run: %s", strerror(errno));
		return false;
	}
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		dup2(p[1], 1);
		dup2(p[1], 2);
		execvp(argv[0], argv);
		dprintf(2, "modprobe: %s: install the package kmod\n", strerror(errno));
		_exit(127);
	}
	close(p[1]);
	read_all(p[0], size - 1, &b);
	put(text, size, "%.*s", (int)b.size, (char *)b.data);
	free(b.data);
	close(p[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status) {
		text[strcspn(text, "\n")] = 0;
		if (!*text)
			put(text, size, "modprobe failed without a word");
	}
	return !status;
}

/* Of a line "insmod FILE OPTION...". */
static void read_options(char *text)
{
	char *line, *rest = NULL, *file;

	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(line, "insmod ", 7))
			continue;
		file = line + 7;
		line = file + strcspn(file, " ");
		if (*line)
			*line++ = 0;
		for (int i = 0; i < SET; i++)
			if (is_file_of(&now[i], file))
				put(options[i], sizeof(options[i]), "%s", line);
	}
}

static void read_set(struct set *s, const char *kvm, const char *intel)
{
	char why[LINE_SIZE];

	s->there = *kvm && *intel && read_module(kvm, &s->module[KVM], why) && read_module(intel, &s->module[INTEL], why);
}

/* What has to be so before anything is touched: where it is not, this ends the program. */
static void prepare(void)
{
	static char text[16 * OPTIONS_SIZE];
	struct utsname u;

	if (there(SYSROOT "/sys/module/kvm_amd/initstate"))
		die(CANNOT, "the KVM of this host is kvm_amd, and PKS is Intel's: there is nothing to load");
	uname(&u);
	put(release, sizeof(release), "%s", u.release);
	for (int i = 0; i < SET; i++) {
		look_at_module(&now[i], names[i], release);
		if (now[i].builtin)
			die(CANNOT, "%s is built into the kernel %s: it cannot be loaded anew", names[i], release);
		if (!*now[i].next)
			die(CANNOT, "the kernel %s has no module %s that modprobe knows: depmod -a helps, or to install "
			    "the kernel's package again", release, names[i]);
		if (*now[i].unread)
			die(CANNOT, "%s", now[i].unread);
	}
	if (!is_root())
		die(CANNOT, "only root can change what is loaded: sudo pksctl reload");
	if (!modprobe("--show-depends", text, sizeof(text)))
		die(CANNOT, "modprobe cannot tell what it would load: %s", text);
	read_options(text);
	read_set(&former, now[KVM].file, now[INTEL].file);
	read_set(&stock, now[KVM].stock, now[INTEL].stock);
	if (now[INTEL].loaded && !former.there && !stock.there)
		die(CANNOT, "nothing was changed: what is loaded is in no file of /lib/modules/%s, and could not be loaded "
		    "again if the new modules fail", release);
}

static void add_holder(const char *name, void *arg)
{
	char *list = arg;
	size_t n = strlen(list);

	if (strcmp(name, "kvm_intel"))
		put(list + n, LINE_SIZE - n, "%s%s", n ? ", " : "", name);
}

static long references(const char *module)
{
	char text[32];

	return read_line(text, sizeof(text), SYSROOT "/sys/module/%s/refcnt", module) ? atol(text) : 0;
}

/* Whether something holds the modules: then the sentence names it. */
static bool in_use(const struct vms *users)
{
	char holders[LINE_SIZE] = "";
	size_t n = 0;

	each(SYSROOT "/sys/module/kvm/holders", add_holder, holders);
	if (users->n) {
		ended(0, "nothing was changed, for KVM is in use:");
		for (size_t i = 0; i < users->n && i < NAMED; i++) {
			const struct vm *vm = &users->list[i];

			n = strlen(sentence);
			put(sentence + n, sizeof(sentence) - n, "%s %s%s (process %d)", i ? "," : "",
			    vm->runs ? "the VM " : "", vm->name, vm->pid);
		}
		n = strlen(sentence);
		if (users->n > NAMED)
			put(sentence + n, sizeof(sentence) - n, " and %zu more", users->n - NAMED);
		put(sentence + strlen(sentence), sizeof(sentence) - strlen(sentence), ": shut down what runs, then try again");
	} else if (*holders) {
		ended(0, "nothing was changed, for the module %s uses kvm: modprobe -r it first, then try again", holders);
	} else if (references("kvm_intel") || references("kvm") > now[INTEL].loaded) {
		ended(0, "nothing was changed, for the kernel says that KVM is in use, by no process that is to be seen");
	} else {
		return false;
	}
	return true;
}

static bool all_loaded(void)
{
	return there(SYSROOT "/sys/module/kvm/initstate") && there(SYSROOT "/sys/module/kvm_intel/initstate");
}

/* Loads a set in the place of whatever part of another is there. */
static bool load_set(const struct set *s)
{
	if (!s->there)
		return false;
	unload_module("kvm_intel");
	unload_module("kvm");
	for (int i = 0; i < SET; i++)
		if (!load_module(&s->module[i], options[i]) && errno != EEXIST)
			return false;
	return all_loaded();
}

static int fall_back(const char *text)
{
	char why[OPTIONS_SIZE + 2 * LINE_SIZE];

	put(why, sizeof(why), "%s%s", text, strstr(text, "Key was rejected") ?
	    ", which Secure Boot does with keys that it does not know (mokutil --import /var/lib/dkms/mok.pub, then reboot)" : "");
	if (load_set(&former))
		return ended(NOT_SO, "%s: the former modules are loaded again", why);
	if (load_set(&stock))
		return ended(NOT_SO, "%s: the kernel's own modules are loaded now", why);
	return ended(NOT_SO, "%s, and no others could be loaded (%s): this host has no KVM now, and dmesg tells why",
		     why, strerror(errno));
}

static int change(void)
{
	char text[OPTIONS_SIZE], why[OPTIONS_SIZE + LINE_SIZE];
	struct module is;

	if (now[INTEL].loaded && !unload_module("kvm_intel"))
		return ended(NOT_SO, "nothing was changed, for kvm_intel cannot be unloaded: %s",
			     errno == EAGAIN ? "a VM has started" : strerror(errno));
	if (now[KVM].loaded && !unload_module("kvm")) {
		put(why, sizeof(why), "kvm cannot be unloaded (%s)", strerror(errno));
		return fall_back(why);
	}
	if (!modprobe(NULL, text, sizeof(text)))
		return fall_back(text);
	for (int i = 0; i < SET; i++) {
		look_at_module(&is, names[i], release);
		if (!is.loaded || strcmp(is.id, now[i].next_id)) {
			put(why, sizeof(why), "modprobe did not load %s", now[i].next);
			return fall_back(why);
		}
	}
	return ended(OK, "%s and %s are loaded", now[KVM].next, now[INTEL].next);
}

static void print_json(bool reloaded, const struct vms *users)
{
	struct json j = { stdout, false };

	json_open(&j, NULL, '{');
	json_tri(&j, "reloaded", reloaded);
	json_open(&j, "users", '[');
	for (size_t i = 0; i < users->n; i++) {
		json_open(&j, NULL, '{');
		json_number(&j, "pid", users->list[i].pid);
		json_text(&j, "name", users->list[i].name);
		json_tri(&j, "vm", users->list[i].runs);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_text(&j, "sentence", sentence);
	json_close(&j, '}');
	putchar('\n');
}

int cmd_reload(bool json)
{
	static const int held[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGPIPE };
	struct vms users;
	sigset_t set, old;
	int status = NOT_SO;

	prepare();
	/* From here to the end a signal waits. */
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(held) / sizeof(*held); i++)
		sigaddset(&set, held[i]);
	sigprocmask(SIG_BLOCK, &set, &old);
	find_vms(&users);
	if (!in_use(&users))
		status = change();
	if (json)
		print_json(!status, &users);
	else if (!status)
		puts(sentence);
	else
		say("%s", sentence);
	fflush(stdout);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return status;
}
