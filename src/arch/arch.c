/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "arch/arch.h"

#include <string.h>
#include <sys/utsname.h>

static const struct cul_arch *const arches[] = {
	&cul_arch_x86_64,
	&cul_arch_aarch64,
	&cul_arch_arm,
	&cul_arch_mips,
	&cul_arch_mipsel,
	&cul_arch_mips64,
	&cul_arch_mips64el,
};

const struct cul_arch *cul_arch_find(const char *name)
{
	for (size_t i = 0; i < sizeof(arches) / sizeof(arches[0]); i++) {
		if (!strcmp(arches[i]->name, name))
			return arches[i];
	}
	return NULL;
}

const struct cul_arch *cul_arch_of_elf(unsigned machine, unsigned word, bool big_endian)
{
	for (size_t i = 0; i < sizeof(arches) / sizeof(arches[0]); i++) {
		const struct cul_arch *arch = arches[i];

		if (arch->elf_machine == machine && arch->word == word &&
			arch->big_endian == big_endian)
			return arch;
	}
	return NULL;
}

const struct cul_arch *cul_arch_host(void)
{
	const struct cul_arch *arch;
	struct utsname host;

	if (uname(&host) != 0)
		return NULL;
	arch = cul_arch_find(host.machine);
	return arch && arch->find_access ? arch : NULL;
}
