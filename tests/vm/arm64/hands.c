/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a test on the host does in a guest of another architecture, where it finds neither a shell
 * nor Python. One command a line on stdin, for each the length of the answer, a newline and the
 * answer on stdout; ends, with all it started, at the end of stdin.
 *
 *	start PLACE         a task that goes to wait there (places.c); its number
 *	tasks               of each task its number, name, state, how often it was switched away
 *	                    and, as /proc has it, its stack
 *	run PROGRAM ARG...  what it wrote, then its status
 *	read FILE
 *	write FILE TEXT     and a newline, as the last thing in it
 *	symbols NAME...     their lines of /proc/kallsyms
 *	hide FILE           behind an empty one
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "places.h"

enum { MAX_WORDS = 64, MAX_TASKS = 256 };

static struct {
	char *bytes;
	size_t size;
	FILE *file;
} answer;

static pid_t started[MAX_TASKS];
static size_t n_started;

static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(answer.file, format, args);
	va_end(args);
}

static bool say_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char buf[8192];
	size_t n;

	if (!file)
		return false;
	while ((n = fread(buf, 1, sizeof(buf), file)) > 0)
		fwrite(buf, 1, n, answer.file);
	fclose(file);
	return true;
}

static void start(char **words)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		place_go(words[1]);
		if (errno != EINTR)
			fprintf(stderr, "hands: %s: %s\n", words[1], strerror(errno));
		_exit(1);
	}
	if (n_started < MAX_TASKS)
		started[n_started++] = pid;
	say("%d\n", pid);
}

/* The lines of /proc/TID/status that begin with these words. */
static void say_status(const char *tid)
{
	static const char *const wanted[] = {"Name:\t", "State:\t", "voluntary_ctxt_switches:\t",
		"nonvoluntary_ctxt_switches:\t"};
	char path[300], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/status", tid);
	file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
			if (!strncmp(line, wanted[i], strlen(wanted[i])))
				say("%s", line);
	fclose(file);
}

static void say_threads(const char *pid)
{
	char path[300];
	const struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		say("task %s\n", entry->d_name);
		say_status(entry->d_name);
		snprintf(path, sizeof(path), "/proc/%s/stack", entry->d_name);
		say_file(path);
		say("\n");
	}
	if (dir)
		closedir(dir);
}

static void tasks(char **words)
{
	const struct dirent *entry;
	DIR *dir = opendir("/proc");

	(void)words;
	while (dir && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			say_threads(entry->d_name);
	if (dir)
		closedir(dir);
}

static void run(char **words)
{
	int out[2], how = 0;
	char buf[8192];
	pid_t pid;
	ssize_t n;

	fflush(NULL);
	if (pipe2(out, O_CLOEXEC) != 0)
		abort();
	pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		dup2(out[1], 2);
		execvp(words[1], words + 1);
		fprintf(stderr, "%s: %s\n", words[1], strerror(errno));
		_exit(127);
	}
	close(out[1]);
	while ((n = read(out[0], buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)n, answer.file);
	close(out[0]);
	waitpid(pid, &how, 0);
	say("%d", WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how));
}

static void read_file(char **words)
{
	if (!say_file(words[1]))
		say("%s: %s\n", words[1], strerror(errno));
}

/* Says nothing when it went well. */
static void write_file(char **words)
{
	int fd = open(words[1], O_WRONLY | O_APPEND | O_CLOEXEC);
	char text[1024] = "";
	size_t len = 0;

	for (char **w = words + 2; *w && len < sizeof(text); w++)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s%s", *w, w[1] ? " " : "\n");
	if (fd < 0 || len >= sizeof(text) || write(fd, text, len) != (ssize_t)len)
		say("%s: %s\n", words[1], strerror(errno));
	close(fd);
}

static void symbols(char **words)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[1024];

	while (file && fgets(line, sizeof(line), file)) {
		char name[512] = "";

		sscanf(line, "%*s %*s %511s", name);
		for (char **w = words + 1; *w; w++)
			if (!strcmp(*w, name))
				say("%s", line);
	}
	if (file)
		fclose(file);
}

static void hide(char **words)
{
	int fd = open("/tmp/empty", O_CREAT | O_RDONLY | O_CLOEXEC, 0600);

	if (fd < 0 || mount("/tmp/empty", words[1], NULL, MS_BIND, NULL) != 0)
		say("%s: %s\n", words[1], strerror(errno));
	close(fd);
}

static const struct command {
	const char *name;
	int least; /* words, its own among them */
	void (*perform)(char **words);
} commands[] = {
	{"start", 2, start},
	{"tasks", 1, tasks},
	{"run", 2, run},
	{"read", 2, read_file},
	{"write", 3, write_file},
	{"symbols", 2, symbols},
	{"hide", 2, hide},
};

static void perform(char *line)
{
	char *words[MAX_WORDS + 1] = {NULL};
	int n = 0;

	for (char *w = strtok(line, " \n"); w && n < MAX_WORDS; w = strtok(NULL, " \n"))
		words[n++] = w;
	for (size_t i = 0; n && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, words[0]) && n >= commands[i].least) {
			commands[i].perform(words);
			return;
		}
	say("no such command\n");
}

int main(void)
{
	char line[4096];

	while (fgets(line, sizeof(line), stdin)) {
		answer.file = open_memstream(&answer.bytes, &answer.size);
		if (!answer.file)
			abort();
		perform(line);
		fclose(answer.file);
		printf("%zu\n", answer.size);
		fwrite(answer.bytes, 1, answer.size, stdout);
		fflush(stdout);
		free(answer.bytes);
	}
	for (size_t i = 0; i < n_started; i++)
		kill(started[i], SIGKILL);
	return 0;
}
