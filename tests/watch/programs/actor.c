// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * actor WORD...: does what the words say, one after the other, and then prints the books of
 * `touched`. A word may have a number: `write=3`. With an unknown word: status 2.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "books.h"

int touched;
static int64_t touched_shadow;
static volatile sig_atomic_t caught;
static char **words; /* the next to do */

BOOK(touch, touched, 'd', "mov-reg", touched_shadow);

static VICTIM void touch(int value)
{
	GUILTY(touch, st_reg(touched, value));
	book_store(&book_touch, value);
}

static VICTIM void touch_in_child(int value)
{
	GUILTY(touch, st_reg(touched, value));
	book_store(&book_touch, value);
}

static void write_times(long n)
{
	for (long i = 0; i < n; i++)
		touch((int)touched_shadow + 1);
}

static void sleep_ms(long ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static void on_signal(int number)
{
	caught++;
}

static void catch_signal(long number)
{
	signal((int)number, on_signal);
}

static void ignore_signal(long number)
{
	signal((int)number, SIG_IGN);
}

/* Until as many signals were caught; 20 s at most. */
static void await_signals(long n)
{
	for (int i = 0; caught < n && i < 20000; i++)
		sleep_ms(1);
	printf("caught %d\n", (int)caught);
	fflush(stdout);
}

static void raise_signal(long number)
{
	raise((int)number);
}

static void crash(long unused)
{
	*(volatile int *)8 = 1;
}

static void end_with(long status)
{
	fflush(stdout);
	_exit((int)status);
}

/* One line from standard input to standard output. */
static void echo(long unused)
{
	char line[256];

	if (fgets(line, sizeof(line), stdin))
		printf("echo %s", line);
	fflush(stdout);
}

static void say(long n)
{
	printf("say %ld pid=%d\n", n, (int)getpid());
	fflush(stdout);
}

static void reap(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
		fprintf(stderr, "actor: a child failed\n");
		exit(1);
	}
}

/* The child has memory of its own. */
static void fork_child(long n)
{
	pid_t pid = fork();

	if (!pid) {
		for (long i = 0; i < n; i++)
			touch_in_child(1000 + (int)i);
		_exit(0);
	}
	reap(pid);
}

/* The child writes into our memory. */
static void vfork_child(long n)
{
	pid_t pid = vfork();

	if (!pid) {
		for (long i = 0; i < n; i++)
			touch_in_child((int)touched_shadow + 1);
		_exit(0);
	}
	reap(pid);
}

/* Nothing but its death wakes the parent meanwhile. */
static void vfork_sleep(long ms)
{
	pid_t pid = vfork();

	if (!pid) {
		sleep_ms(ms);
		_exit(0);
	}
	reap(pid);
}

static void spawn_true(long unused)
{
	char *argv[] = {"true", NULL};
	pid_t pid;

	if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, NULL))
		exit(1);
	reap(pid);
}

static void become_true(long unused)
{
	fflush(stdout);
	execl("/bin/true", "true", (char *)NULL);
}

/* Ourselves again, with the words that are left. */
static void start_over(long unused)
{
	char *argv[64] = {"actor"};

	for (int i = 0; words[i] && i < 62; i++)
		argv[i + 1] = words[i];
	fflush(stdout);
	execv("/proc/self/exe", argv);
}

static void perform(void);

static void *perform_and_end(void *unused)
{
	perform();
	book_print(&book_touch);
	exit(0);
}

/* The words that are left are another thread's; `leave`: without the first thread. */
static void other_thread(bool leave)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, perform_and_end, NULL))
		exit(1);
	if (leave)
		pthread_exit(NULL);
	pthread_join(thread, NULL);
}

static void in_thread(long unused)
{
	other_thread(false);
}

static void leave_to_thread(long unused)
{
	other_thread(true);
}

static const struct {
	const char *word;
	void (*act)(long number);
} acts[] = {
	{"write", write_times},
	{"sleep", sleep_ms},
	{"catch", catch_signal},
	{"ignore", ignore_signal},
	{"await", await_signals},
	{"raise", raise_signal},
	{"crash", crash},
	{"exit", end_with},
	{"echo", echo},
	{"say", say},
	{"fork", fork_child},
	{"vfork", vfork_child},
	{"vfork-sleep", vfork_sleep},
	{"spawn", spawn_true},
	{"become-true", become_true},
	{"start-over", start_over},
	{"thread", in_thread},
	{"leave-to-thread", leave_to_thread},
};

static bool act(const char *text)
{
	const char *number = strchr(text, '=');
	size_t len = number ? (size_t)(number - text) : strlen(text);

	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		if (strlen(acts[i].word) != len || strncmp(acts[i].word, text, len))
			continue;
		acts[i].act(number ? strtol(number + 1, NULL, 0) : 1);
		return true;
	}
	return false;
}

static void perform(void)
{
	while (*words) {
		const char *word = *words++;

		if (act(word))
			continue;
		fprintf(stderr, "actor: what is %s?\n", word);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	words = argv + 1;
	perform();
	book_print(&book_touch);
	return 0;
}
