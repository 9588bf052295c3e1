/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stores of a known shape: each macro is exactly one instruction that touches its first operand, so
 * that a victim's books and a debug register count the same thing. They are macros, not inline
 * functions, because the line of the store has to be the line of its use. For both the kernel
 * module and the programs; on other machines than x86_64 the compiler picks the instruction.
 */
#ifndef VICTIM_SHAPE_H
#define VICTIM_SHAPE_H

#define shape_lvalue(var) (*(volatile __typeof__(var) *)&(var))

#if defined(__x86_64__) && !defined(__clang__) /* clang knows no %z */

/* mov $imm, mem: the value has to be a constant */
#define st_imm(var, imm) asm volatile("mov%z0 %1, %0" : "=m"(var) : "i"(imm))
/* mov reg, mem */
#define st_reg(var, val) asm volatile("mov %1, %0" : "=m"(var) : "r"((__typeof__(var))(val)))
#define st_inc(var)      asm volatile("inc%z0 %0" : "+m"(var) : : "cc")
#define st_dec(var)      asm volatile("dec%z0 %0" : "+m"(var) : : "cc")
#define st_and(var, val) asm volatile("and %1, %0" : "+m"(var) : "r"((__typeof__(var))(val)) : "cc")
#define st_or(var, val)  asm volatile("or %1, %0" : "+m"(var) : "r"((__typeof__(var))(val)) : "cc")
#define st_lock_add(var, val)                                                                      \
	asm volatile("lock add %1, %0" : "+m"(var) : "r"((__typeof__(var))(val)) : "cc", "memory")
#define st_lock_inc(var) asm volatile("lock inc%z0 %0" : "+m"(var) : : "cc", "memory")
#define st_lock_dec(var) asm volatile("lock dec%z0 %0" : "+m"(var) : : "cc", "memory")
/* reg holds the new value before and the old one after */
#define st_xchg(var, reg) asm volatile("xchg %1, %0" : "+m"(var), "+r"(reg) : : "memory")
/* expected holds what was found afterwards */
#define st_cmpxchg(var, expected, val)                                                             \
	asm volatile("lock cmpxchg %2, %0"                                                         \
		     : "+m"(var), "+a"(expected)                                                   \
		     : "r"((__typeof__(var))(val))                                                 \
		     : "cc", "memory")
/* one instruction, many stores; the operands are used up */
#define st_rep_movsb(dst, src, len)                                                                \
	asm volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(len) : : "memory")
#define st_rep_stosq(dst, val, len)                                                                \
	asm volatile("rep stosq" : "+D"(dst), "+c"(len) : "a"(val) : "memory")
#define ld_reg(var, reg) asm volatile("mov %1, %0" : "=r"(reg) : "m"(var))

#else

#define st_imm(var, imm)      (shape_lvalue(var) = (imm))
#define st_reg(var, val)      (shape_lvalue(var) = (__typeof__(var))(val))
#define st_inc(var)           (shape_lvalue(var)++)
#define st_dec(var)           (shape_lvalue(var)--)
#define st_and(var, val)      (shape_lvalue(var) &= (__typeof__(var))(val))
#define st_or(var, val)       (shape_lvalue(var) |= (__typeof__(var))(val))
#define st_lock_add(var, val) __atomic_fetch_add(&(var), val, __ATOMIC_SEQ_CST)
#define st_lock_inc(var)      __atomic_fetch_add(&(var), 1, __ATOMIC_SEQ_CST)
#define st_lock_dec(var)      __atomic_fetch_sub(&(var), 1, __ATOMIC_SEQ_CST)
#define st_xchg(var, reg)     ((reg) = __atomic_exchange_n(&(var), reg, __ATOMIC_SEQ_CST))
#define st_cmpxchg(var, expected, val)                                                             \
	__atomic_compare_exchange_n(&(var), &(expected), val, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define st_rep_movsb(dst, src, len)                                                                \
	do {                                                                                       \
		for (; (len); (len)--)                                                             \
			*(volatile char *)(dst)++ = *(const volatile char *)(src)++;               \
	} while (0)
#define st_rep_stosq(dst, val, len)                                                                \
	do {                                                                                       \
		for (; (len); (len)--)                                                             \
			*(volatile unsigned long long *)(dst)++ = (val);                           \
	} while (0)
#define ld_reg(var, reg) ((reg) = shape_lvalue(var))

#endif
#endif
