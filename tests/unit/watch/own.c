/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int64_t own_cell;

void own_start(struct own *own)
{
	struct cul_watch_run *run = &own->run;
	struct cul_watch_program_config config = {.access = CUL_ACCESS_WRITE,
		.targets = run->targets,
		.n_targets = 1,
		.on_event = cul_watch_on_event,
		.data = run};
	const struct cul_cpus cpus = {{1}};
	struct cul_error err = {0};

	memset(own, 0, sizeof(*own));
	own->options.access = CUL_ACCESS_WRITE;
	own->options.stop_fd = -1;
	record_init(&own->record);
	run->options = &own->options;
	run->sink = &own->record.sink;
	run->arch = cul_arch_find("x86_64");
	run->pid = getpid();
	run->pid_fd = -1;
	if (cul_scope_process(run->pid, NULL, &run->scope, &err) ||
		cul_watch_target_resolve("own_cell", run->scope, run->arch, CUL_ACCESS_WRITE, &cpus,
			-1, &run->targets[0], &err) ||
		cul_cpus_possible(&config.possible, &err))
		fail_msg("%s", err.text);
	run->n_targets = 1;
	config.scope = run->scope;
	own->loaded = !cul_watch_program_load(&config, &run->program, &err);
	if (!own->loaded)
		print_message("no BPF here: %s\n", err.text);
	run->arm.arch = run->arch;
	run->arm.program = &run->program;
	run->arm.targets = run->targets;
	run->arm.n_targets = 1;
	run->arm.access = CUL_ACCESS_WRITE;
	run->arm.pid = run->pid;
}

void own_end(struct own *own)
{
	struct cul_watch_run *run = &own->run;

	cul_watch_arm_free(&run->arm);
	if (own->loaded)
		cul_watch_program_free(&run->program);
	cul_watch_sites_free(run);
	cul_seen_free(&run->seen);
	cul_watch_target_free(&run->targets[0]);
	cul_gaps_free(&run->gaps);
	cul_scope_free(run->scope);
}
