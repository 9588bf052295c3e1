/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/familiar.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static uint64_t number(const struct cul_familiar_bytes *b, unsigned piece)
{
	uint64_t v = 0;

	if (b->bytes[piece])
		memcpy(&v, b->bytes[piece], b->size[piece] < 8 ? b->size[piece] : 8);
	return v;
}

static bool has_text(const struct cul_familiar_bytes *b, unsigned piece)
{
	return b->bytes[piece] && b->bytes[piece][0];
}

static void add_text(struct cul_str *out, const struct cul_familiar_bytes *b, unsigned piece)
{
	cul_str_add_quoted(out, b->bytes[piece], b->size[piece]);
}

/* Its name, which is the first piece, or the second one that some have before. */
static bool print_name(const struct cul_familiar_bytes *b, struct cul_str *out)
{
	unsigned piece = has_text(b, 0) ? 0 : 1;

	if (!has_text(b, piece))
		return false;
	add_text(out, b, piece);
	return true;
}

static bool print_quoted(const struct cul_familiar_bytes *b, struct cul_str *out)
{
	if (!b->bytes[0])
		return false;
	cul_str_add(out, "\"");
	add_text(out, b, 0);
	cul_str_add(out, "\"");
	return true;
}

/* Not all of it is the name: d_name of a path is a part of a longer string. */
static bool print_qstr(const struct cul_familiar_bytes *b, struct cul_str *out)
{
	struct cul_familiar_bytes name = *b;
	uint64_t len = number(b, 1);

	if (b->bytes[1] && len < name.size[0])
		name.size[0] = len;
	return print_quoted(&name, out);
}

/* Characters and their number, which need no NUL behind them: of C++ and Rust. */
static bool print_counted(const struct cul_familiar_bytes *b, struct cul_str *out)
{
	uint64_t len = number(b, 1);
	size_t there = b->bytes[0] ? strnlen((const char *)b->bytes[0], b->size[0]) : 0;

	if (!b->bytes[1] || (len && !b->bytes[0]))
		return false;
	cul_str_add(out, "\"");
	cul_str_add_quoted(out, b->bytes[0], len < there ? len : there);
	cul_str_add(out, len > there ? "\"..." : "\"");
	return true;
}

/* comm, pid */
static bool print_task(const struct cul_familiar_bytes *b, struct cul_str *out)
{
	if (!b->bytes[0] || !b->bytes[1])
		return false;
	add_text(out, b, 0);
	cul_str_addf(out, " (%" PRIu64 ")", number(b, 1));
	return true;
}

static bool print_pid(const struct cul_familiar_bytes *b, struct cul_str *out)
{
	if (!b->bytes[0])
		return false;
	cul_str_addf(out, "pid %" PRIu64, number(b, 0));
	return true;
}

/* i_ino, i_sb->s_id */
static bool print_inode(const struct cul_familiar_bytes *b, struct cul_str *out)
{
	if (!b->bytes[0])
		return false;
	cul_str_addf(out, "ino %" PRIu64, number(b, 0));
	if (has_text(b, 1)) {
		cul_str_add(out, " on ");
		add_text(out, b, 1);
	}
	return true;
}

static void add_address(struct cul_str *out, int family, const uint8_t *addr, unsigned port)
{
	char text[INET6_ADDRSTRLEN];

	if (!addr || !inet_ntop(family, addr, text, sizeof(text)))
		return;
	cul_str_addf(out, family == AF_INET6 ? " [%s]:%u" : " %s:%u", text, port);
}

static const char *family_name(unsigned family)
{
	switch (family) {
	case AF_UNIX:
		return "unix";
	case AF_NETLINK:
		return "netlink";
	case AF_PACKET:
		return "packet";
	case AF_VSOCK:
		return "vsock";
	case AF_ALG:
		return "alg";
	default:
		return NULL;
	}
}

static void add_protocol(struct cul_str *out, uint64_t protocol)
{
	static const struct {
		unsigned number;
		const char *name;
	} names[] = {{IPPROTO_TCP, "tcp"}, {IPPROTO_UDP, "udp"}, {IPPROTO_ICMP, "icmp"},
		{IPPROTO_ICMPV6, "icmp6"}, {IPPROTO_SCTP, "sctp"}, {IPPROTO_MPTCP, "mptcp"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].number == protocol) {
			cul_str_add(out, names[i].name);
			return;
		}
	}
	cul_str_addf(out, "protocol %" PRIu64, protocol);
}

/* include/net/tcp_states.h, as /proc/net/tcp numbers them */
static const char *const tcp_states[] = {NULL, "established", "syn-sent", "syn-recv", "fin-wait-1",
	"fin-wait-2", "time-wait", "close", "close-wait", "last-ack", "listen", "closing",
	"new-syn-recv"};

/* SOCK_STREAM and so on */
static const char *const socket_types[] = {NULL, "stream", "dgram", "raw", NULL, "seqpacket"};

enum {
	SK_DADDR,
	SK_SADDR,
	SK_DPORT,
	SK_NUM,
	SK_FAMILY,
	SK_STATE,
	SK_V6_DADDR,
	SK_V6_SADDR,
	SK_PROTOCOL,
	SK_TYPE
};

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static void add_inet(const struct cul_familiar_bytes *b, int family, struct cul_str *out)
{
	bool v6 = family == AF_INET6;
	unsigned from = v6 ? SK_V6_SADDR : SK_SADDR, to = v6 ? SK_V6_DADDR : SK_DADDR;
	uint64_t state = number(b, SK_STATE), protocol = number(b, SK_PROTOCOL);
	unsigned port = ntohs((uint16_t)number(b, SK_DPORT));

	add_protocol(out, protocol);
	add_address(out, family, b->bytes[from], (unsigned)number(b, SK_NUM));
	if (b->bytes[to] && (port || !is_zero(b->bytes[to], b->size[to]))) {
		cul_str_add(out, " ->");
		add_address(out, family, b->bytes[to], port);
	}
	if ((protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP) && b->bytes[SK_STATE] &&
		state < sizeof(tcp_states) / sizeof(tcp_states[0]) && tcp_states[state])
		cul_str_addf(out, " %s", tcp_states[state]);
}

static bool print_sock(const struct cul_familiar_bytes *b, struct cul_str *out)
{
	uint64_t family = number(b, SK_FAMILY), type = number(b, SK_TYPE);

	if (!b->bytes[SK_FAMILY])
		return false;
	if (family == AF_INET || family == AF_INET6) {
		add_inet(b, (int)family, out);
		return true;
	}
	if (family_name((unsigned)family))
		cul_str_add(out, family_name((unsigned)family));
	else
		cul_str_addf(out, "family %" PRIu64, family);
	if (b->bytes[SK_TYPE] && type < sizeof(socket_types) / sizeof(socket_types[0]) &&
		socket_types[type])
		cul_str_addf(out, " %s", socket_types[type]);
	return true;
}

/* The layouts of these are those of the system calls. */
static bool print_sockaddr(const struct cul_familiar_bytes *b, struct cul_str *out)
{
	union {
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		uint8_t bytes[sizeof(struct sockaddr_un)];
	} a = {0};
	size_t size = b->size[0] < sizeof(a) ? b->size[0] : sizeof(a);

	if (!b->bytes[0] || size < sizeof(a.in.sin_family))
		return false;
	memcpy(&a, b->bytes[0], size);
	if (a.in.sin_family == AF_INET && size >= sizeof(a.in)) {
		cul_str_add(out, "inet");
		add_address(out, AF_INET, (uint8_t *)&a.in.sin_addr, ntohs(a.in.sin_port));
	} else if (a.in6.sin6_family == AF_INET6 && size >= sizeof(a.in6)) {
		cul_str_add(out, "inet6");
		add_address(out, AF_INET6, (uint8_t *)&a.in6.sin6_addr, ntohs(a.in6.sin6_port));
	} else if (a.un.sun_family == AF_UNIX) {
		/* An abstract name begins with a NUL. */
		bool abstract = !a.un.sun_path[0] && a.un.sun_path[1];

		cul_str_addf(out, "unix \"%s", abstract ? "@" : "");
		cul_str_add_quoted(
			out, (uint8_t *)a.un.sun_path + abstract, sizeof(a.un.sun_path) - abstract);
		cul_str_add(out, "\"");
	} else if (family_name(a.un.sun_family)) {
		cul_str_add(out, family_name(a.un.sun_family));
	} else {
		cul_str_addf(out, "family %u", a.un.sun_family);
	}
	return true;
}

/* An interface's name is its own, if that is what the word points to: it is shared. */
static bool is_name(const struct cul_familiar_bytes *b, unsigned piece)
{
	if (!has_text(b, piece))
		return false;
	for (size_t i = 0; i < b->size[piece]; i++) {
		uint8_t c = b->bytes[piece][i];

		if (!c)
			return true;
		if (c <= ' ' || c >= 0x7f)
			return false;
	}
	return false;
}

/* len, protocol, dev->name */
static bool print_skb(const struct cul_familiar_bytes *b, struct cul_str *out)
{
	unsigned protocol = ntohs((uint16_t)number(b, 1));

	if (!b->bytes[0])
		return false;
	cul_str_addf(out, "%" PRIu64 " bytes", number(b, 0));
	if (protocol == ETHERTYPE_IP)
		cul_str_add(out, " IPv4");
	else if (protocol == ETHERTYPE_IPV6)
		cul_str_add(out, " IPv6");
	else if (protocol == ETHERTYPE_ARP)
		cul_str_add(out, " ARP");
	else if (protocol)
		cul_str_addf(out, " protocol 0x%04x", protocol);
	if (is_name(b, 2)) {
		cul_str_add(out, " ");
		add_text(out, b, 2);
	}
	return true;
}

/* vm_start, vm_end */
static bool print_vma(const struct cul_familiar_bytes *b, struct cul_str *out)
{
	if (!b->bytes[0] || !b->bytes[1])
		return false;
	cul_str_addf(out, "0x%" PRIx64 "-0x%" PRIx64, number(b, 0), number(b, 1));
	return true;
}

#define TEXT(p)                                                                                    \
	{                                                                                          \
		.path = (p), .size = CUL_FAMILIAR_TEXT, .text = true                               \
	}
#define OPTIONAL_TEXT(p)                                                                           \
	{                                                                                          \
		.path = (p), .size = CUL_FAMILIAR_TEXT, .text = true, .optional = true             \
	}
#define OPTIONAL(p)                                                                                \
	{                                                                                          \
		.path = (p), .optional = true                                                      \
	}

#define SOCK(p)                                                                                    \
	{                                                                                          \
		{.path = p "__sk_common.skc_daddr"}, {.path = p "__sk_common.skc_rcv_saddr"},      \
			{.path = p "__sk_common.skc_dport"}, {.path = p "__sk_common.skc_num"},    \
			{.path = p "__sk_common.skc_family"}, {.path = p "__sk_common.skc_state"}, \
			OPTIONAL(p "__sk_common.skc_v6_daddr"),                                    \
			OPTIONAL(p "__sk_common.skc_v6_rcv_saddr"), OPTIONAL(p "sk_protocol"),     \
			OPTIONAL(p "sk_type")                                                      \
	}

#define COUNTED(chars, count)                                                                      \
	{                                                                                          \
		{.path = (chars), .size = 128, .text = true},                                      \
		{                                                                                  \
			.path = (count)                                                            \
		}                                                                                  \
	}

static const struct cul_familiar all[] = {
	/* As libstdc++ and Rust's library (1.85) lay them out; gcc and clang write ">>" in two
	   ways. */
	{"basic_string<char, std::char_traits<char>, std::allocator<char> >", true,
		COUNTED("_M_dataplus._M_p->", "_M_string_length"), print_counted},
	{"basic_string<char, std::char_traits<char>, std::allocator<char>>", true,
		COUNTED("_M_dataplus._M_p->", "_M_string_length"), print_counted},
	{"String", true, COUNTED("vec.buf.inner.ptr.pointer.pointer->", "vec.len"), print_counted},
	{"task_struct", false, {{.path = "comm", .size = 16, .text = true}, {.path = "pid"}},
		print_task},
	{"pid", false, {{.path = "numbers.nr"}}, print_pid},
	{"sock", false, SOCK(""), print_sock},
	{"socket", false, SOCK("sk->"), print_sock},
	{"sockaddr", true, {{.path = "", .size = sizeof(struct sockaddr_un)}}, print_sockaddr},
	{"sockaddr_storage", true, {{.path = "", .size = sizeof(struct sockaddr_un)}},
		print_sockaddr},
	{"__kernel_sockaddr_storage", true, {{.path = "", .size = sizeof(struct sockaddr_un)}},
		print_sockaddr},
	{"sockaddr_in", true, {{.path = "", .size = sizeof(struct sockaddr_in)}}, print_sockaddr},
	{"sockaddr_in6", true, {{.path = "", .size = sizeof(struct sockaddr_in6)}}, print_sockaddr},
	{"sockaddr_un", true, {{.path = "", .size = sizeof(struct sockaddr_un)}}, print_sockaddr},
	{"sk_buff", false,
		{{.path = "len"}, {.path = "protocol"},
			{.path = "dev->name", .size = 16, .text = true, .optional = true}},
		print_skb},
	{"net_device", false, {{.path = "name", .size = 16, .text = true}}, print_name},
	{"inode", false, {{.path = "i_ino"}, OPTIONAL_TEXT("i_sb->s_id")}, print_inode},
	{"super_block", false, {TEXT("s_id")}, print_name},
	{"file_system_type", false, {TEXT("name->")}, print_name},
	{"block_device", false, {TEXT("bd_device.kobj.name->")}, print_name},
	{"gendisk", false, {TEXT("disk_name")}, print_name},
	{"filename", false, {{.path = "name->", .size = 128, .text = true}}, print_quoted},
	{"qstr", false, {{.path = "name->", .size = 128, .text = true}, {.path = "len"}},
		print_qstr},
	{"kobject", false, {TEXT("name->")}, print_name},
	{"device", false, {TEXT("kobj.name->"), OPTIONAL_TEXT("init_name->")}, print_name},
	{"device_driver", false, {TEXT("name->")}, print_name},
	{"bus_type", false, {TEXT("name->")}, print_name},
	{"module", false, {TEXT("name")}, print_name},
	{"vm_area_struct", false, {{.path = "vm_start"}, {.path = "vm_end"}}, print_vma},
};

const struct cul_familiar *cul_familiar_find(const struct cul_type *t, bool user)
{
	if (t->kind != CUL_KIND_STRUCT || !t->name)
		return NULL;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(all[i].tag, t->name) && (!user || all[i].anywhere))
			return &all[i];
	return NULL;
}
