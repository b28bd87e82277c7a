// The one function of libstdc++ that the containers call and that systems as old as Node's own floor (glibc 2.28) lack:
// their libstdc++ has no symbol of version GLIBCXX_3.4.29.
#include <cstdlib>

namespace std {

[[noreturn]] void __throw_bad_array_new_length() { abort(); }

}  // namespace std
