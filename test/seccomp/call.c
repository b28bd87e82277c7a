// Makes the calls that its lines name, by number and six arguments, and prints the error number of each, 0 where there is none.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    long number;
    uint64_t a[6];
    while (scanf("%ld %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &number, &a[0], &a[1],
                 &a[2], &a[3], &a[4], &a[5]) == 7) {
        errno = 0;
        long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
        printf("%d\n", result == -1 ? errno : 0);
    }
    return 0;
}
