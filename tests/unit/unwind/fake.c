/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake.h"

#include <errno.h>
#include <string.h>

static int in_stack(struct fake_thread *t, uint64_t addr, uint8_t *buf, size_t size)
{
	if (addr - FAKE_STACK >= t->stack_size || size > t->stack_size - (addr - FAKE_STACK))
		return -EFAULT;
	if (!t->word) {
		memcpy(buf, t->stack + (addr - FAKE_STACK), size);
		return 0;
	}
	for (size_t i = 0; i < size; i += 8) { /* whole words: the unwinder reads lines */
		uint64_t word = t->word(addr + i);

		memcpy(buf + i, &word, size - i < 8 ? size - i : 8);
	}
	return 0;
}

static int read(struct cul_mem *mem, uint64_t addr, void *buf, size_t size)
{
	struct fake_thread *t = (struct fake_thread *)mem;

	if (addr >= FAKE_CODE && addr < FAKE_CODE + FAKE_SIZE &&
		size <= FAKE_CODE + FAKE_SIZE - addr) {
		memcpy(buf, t->code + (addr - FAKE_CODE), size);
		return 0;
	}
	return in_stack(t, addr, buf, size);
}

static int at(void *data, uint64_t addr, struct cul_code_at *out)
{
	struct fake_thread *t = data;

	*out = (struct cul_code_at){0};
	out->executable = addr >= FAKE_CODE && addr < FAKE_CODE + FAKE_SIZE;
	return out->executable || addr - FAKE_STACK < t->stack_size ? 0 : -ENOENT;
}

struct fake_thread *fake_thread(const struct cul_arch *arch)
{
	static const struct cul_mem_ops ops = {.name = "fake", .read = read};
	static struct fake_thread t;

	memset(&t, 0, sizeof(t));
	t.mem.ops = &ops;
	t.stack_size = FAKE_SIZE;
	t.space = (struct cul_code_space){.data = &t, .at = at};
	t.regs.known = ~0ull;
	t.regs.regs.r[arch->reg_ip] = FAKE_CODE + 0x100;
	t.regs.regs.r[arch->reg_sp] = FAKE_STACK;
	return &t;
}

void fake_put(struct fake_thread *t, const struct cul_arch *arch, unsigned offset, uint64_t value)
{
	for (unsigned i = 0; i < arch->word; i++)
		t->stack[offset + (arch->big_endian ? arch->word - 1 - i : i)] =
			(uint8_t)(value >> i * 8);
}
