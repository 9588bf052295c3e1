// SPDX-License-Identifier: GPL-2.0-or-later
// Objects of C++ as arguments and results: passed by value, by address, in nothing at all.
// victim_classes COUNT [throw]: calls every function for v = 1..COUNT. See ../README.md.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#define VICTIM __attribute__((noinline, noclone))
#define CALLED(name) (calls_of_##name++)

namespace victim {

enum class Mood : unsigned char { CALM = 1, ANGRY = 7 };

struct Point {
	int x, y;
};

struct Named : Point { // trivial, with a base
	long id;
};

struct Counted { // as small as Point, but copied by code
	int v;
	explicit Counted(int v) : v(v) {}
	Counted(const Counted &o) : v(o.v) {}
};

struct Holder { // not trivial because of what it holds
	Counted held;
};

struct Moved { // cannot be copied or moved trivially: nothing is left that could
	int v;
	explicit Moved(int v) : v(v) {}
	Moved(const Moved &) = delete;
};

struct Kept { // written out, and yet trivial
	int v;
	Kept() = default;
	explicit Kept(int v) : v(v) {}
	Kept(const Kept &) = default;
	~Kept() = default;
};

struct Empty {};

struct Root {
	long root;
	explicit Root(long v) : root(v) {}
};

struct Branch : virtual Root {
	int leaf;
	VICTIM Branch(int a, int b);
	VICTIM ~Branch();
};

static int calls_of_by_string, calls_of_by_unique, calls_of_by_counted, calls_of_by_holder,
	calls_of_by_moved, calls_of_by_kept, calls_of_by_empty, calls_of_by_named, calls_of_by_null,
	calls_of_by_pack, calls_of_by_clone, calls_of_give_counted, calls_of_give_unique, calls_of_branch,
	calls_of_unbranch, calls_of_throws;

VICTIM int by_string(std::string text, int after)
{
	CALLED(by_string);
	return (int)text.size() + after;
}

VICTIM int by_unique(std::unique_ptr<Point> one, int after)
{
	CALLED(by_unique);
	return one->x + after;
}

VICTIM int by_counted(Counted one, Mood mood, int after)
{
	CALLED(by_counted);
	return one.v + (int)mood + after;
}

VICTIM int by_holder(Holder one, int after)
{
	CALLED(by_holder);
	return one.held.v + after;
}

VICTIM int by_moved(Moved one, int after)
{
	CALLED(by_moved);
	return one.v + after;
}

VICTIM int by_kept(Kept one, int after)
{
	CALLED(by_kept);
	return one.v + after;
}

VICTIM int by_empty(Empty nothing, int after)
{
	CALLED(by_empty);
	return after;
}

VICTIM int by_named(Named one, int after)
{
	CALLED(by_named);
	return one.x + one.y + (int)one.id + after;
}

VICTIM int by_null(std::nullptr_t nothing, int after)
{
	CALLED(by_null);
	return after;
}

template <typename... Rest> VICTIM int by_pack(int first, Rest... rest)
{
	CALLED(by_pack);
	return first + (int)sizeof...(rest);
}

// gcc makes a copy of it that gets v alone, as by_clone.constprop.0: no attribute forbids it.
__attribute__((noinline)) static int by_clone(int dropped, int v, int fixed, int after)
{
	CALLED(by_clone);
	asm volatile("");
	return v * fixed + after;
}

VICTIM Counted give_counted(int v, int after)
{
	CALLED(give_counted);
	return Counted(v + after);
}

VICTIM std::unique_ptr<int> give_unique(int v, int after)
{
	CALLED(give_unique);
	return std::make_unique<int>(v + after);
}

Branch::Branch(int a, int b) : Root(a), leaf(a + b)
{
	CALLED(branch);
}

Branch::~Branch()
{
	CALLED(unbranch);
}

VICTIM int throws(int v)
{
	CALLED(throws);
	if (v > 1)
		throw std::runtime_error("as asked");
	return v;
}

static int all(int v)
{
	Branch branch(v, 92);

	return by_string("a string", 80) + by_unique(std::make_unique<Point>(Point{v, 2}), 81) +
	       by_counted(Counted(v), Mood::ANGRY, 82) + by_holder(Holder{Counted(v)}, 83) +
	       by_moved(Moved(v), 84) + by_kept(Kept(v), 85) + by_empty(Empty{}, 86) +
	       by_named(Named{{v, 2}, 3}, 87) + by_null(nullptr, 88) + by_pack(v, 7L, "text") +
	       by_clone(v + 100, v, 5, 89) +
	       give_counted(v, 90).v + *give_unique(v, 91) + branch.leaf;
}

} // namespace victim

#define BOOK(name) printf("books %s calls=%d\n", #name, victim::calls_of_##name)

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 2, sum = 0, caught = 0;

	for (int v = 1; v <= count; v++)
		sum += victim::all(v);
	for (int v = 1; argc > 2 && !strcmp(argv[2], "throw") && v <= count; v++)
		try {
			sum += victim::throws(v);
		} catch (const std::exception &) {
			caught++;
		}
	BOOK(by_string);
	BOOK(by_unique);
	BOOK(by_counted);
	BOOK(by_holder);
	BOOK(by_moved);
	BOOK(by_kept);
	BOOK(by_empty);
	BOOK(by_named);
	BOOK(by_null);
	BOOK(by_pack);
	BOOK(by_clone);
	BOOK(give_counted);
	BOOK(give_unique);
	BOOK(branch);
	BOOK(unbranch);
	BOOK(throws);
	printf("sum=%d caught=%d\n", sum, caught);
	return 0;
}
