// SPDX-License-Identifier: GPL-2.0-or-later
/* A store in a signal handler, and one in a handler on a stack of its own. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "books.h"

int touched;
static int64_t touched_shadow;
BOOK(write_in_handler, touched, 'd', "mov-reg", touched_shadow);
BOOK(write_on_altstack, touched, 'd', "mov-reg", touched_shadow);
BOOK(write_plainly, touched, 'd', "mov-reg", touched_shadow);

static volatile int next_value;

static VICTIM void write_in_handler(int sig)
{
	GUILTY(write_in_handler, st_reg(touched, next_value));
	book_store(&book_write_in_handler, next_value);
}

static VICTIM void write_on_altstack(int sig)
{
	GUILTY(write_on_altstack, st_reg(touched, -next_value));
	book_store(&book_write_on_altstack, -next_value);
}

static VICTIM void write_plainly(int64_t value)
{
	GUILTY(write_plainly, st_reg(touched, value));
	book_store(&book_write_plainly, (int)value);
}

static void raise_usr2(int64_t value)
{
	next_value = (int)value;
	kill(getpid(), SIGUSR2);
}

static void raise_alrm(int64_t value)
{
	next_value = (int)value;
	kill(getpid(), SIGALRM);
}

int main(int argc, char **argv)
{
	static const struct victim_fault faults[] = {{"write_plainly", write_plainly},
		{"write_in_handler", raise_usr2}, {"write_on_altstack", raise_alrm}, {0}};
	static struct book *const books[] = {
		&book_write_plainly, &book_write_in_handler, &book_write_on_altstack, NULL};
	static char stack[65536];
	struct sigaction on_usr2 = {.sa_handler = write_in_handler};
	struct sigaction on_alrm = {.sa_handler = write_on_altstack, .sa_flags = SA_ONSTACK};
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct victim victim;

	victim_options(&victim, argc, argv, 3);
	sigaction(SIGUSR2, &on_usr2, NULL);
	sigaltstack(&alternate, NULL);
	sigaction(SIGALRM, &on_alrm, NULL);
	victim_wait(&victim);
	victim_run(&victim, faults);
	books_print(books);
	return victim_end(&victim);
}
