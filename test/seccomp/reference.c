// libseccomp's own answer: reads profiles as lines and writes the filters that it makes of them. Declares what it needs of seccomp.h,
// which is not everywhere where the library is.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void *scmp_filter_ctx;

struct scmp_arg_cmp {
    unsigned int arg;
    int op;
    uint64_t datum_a;
    uint64_t datum_b;
};

scmp_filter_ctx seccomp_init(uint32_t def_action);
void seccomp_release(scmp_filter_ctx ctx);
int seccomp_arch_add(scmp_filter_ctx ctx, uint32_t arch_token);
int seccomp_arch_remove(scmp_filter_ctx ctx, uint32_t arch_token);
int seccomp_api_set(unsigned int level);
int seccomp_attr_set(scmp_filter_ctx ctx, int attr, uint32_t value);
int seccomp_syscall_resolve_name(const char *name);
int seccomp_syscall_resolve_name_arch(uint32_t arch_token, const char *name);
int seccomp_rule_add_array(scmp_filter_ctx ctx, uint32_t action, int syscall, unsigned int arg_cnt,
                           const struct scmp_arg_cmp *arg_array);
int seccomp_export_bpf(const scmp_filter_ctx ctx, int fd);

#define SCMP_FLTATR_CTL_OPTIMIZE 8
#define NR_SCMP_ERROR (-1)

/** Lengths are told first, so that one reader takes filter after filter. */
static int write_filter(scmp_filter_ctx ctx) {
    FILE *file = tmpfile();
    if (file == NULL || seccomp_export_bpf(ctx, fileno(file)) != 0) return -1;
    fseek(file, 0, SEEK_END);
    uint32_t length = (uint32_t)ftell(file);
    rewind(file);
    char *bytes = malloc(length);
    if (bytes == NULL || fread(bytes, 1, length, file) != length) return -1;
    fwrite(&length, sizeof length, 1, stdout);
    fwrite(bytes, 1, length, stdout);
    free(bytes);
    return fclose(file);
}

/**
 * `filter ACTION`, `without ARCH`, `arch ARCH`, `tree`, `rule ACTION NAME [INDEX OP A B]...`, `export`; `resolve ARCH NAME` writes a
 * number. What libseccomp refuses makes the filter one of no bytes.
 */
int main(void) {
    static char line[65536];
    scmp_filter_ctx ctx = NULL;
    int refused = 0;
    // As on a kernel with all of it.
    seccomp_api_set(6);
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *word = strtok(line, " \n");
        if (word == NULL) continue;
        if (strcmp(word, "filter") == 0) {
            ctx = seccomp_init((uint32_t)strtoul(strtok(NULL, " \n"), NULL, 0));
            refused = ctx == NULL;
        } else if (strcmp(word, "without") == 0) {
            if (seccomp_arch_remove(ctx, (uint32_t)strtoul(strtok(NULL, " \n"), NULL, 0)) != 0) return 2;
        } else if (strcmp(word, "arch") == 0) {
            int result = seccomp_arch_add(ctx, (uint32_t)strtoul(strtok(NULL, " \n"), NULL, 0));
            if (result != 0 && result != -EEXIST) return 3;
        } else if (strcmp(word, "tree") == 0) {
            if (seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) != 0) return 4;
        } else if (strcmp(word, "rule") == 0) {
            uint32_t action = (uint32_t)strtoul(strtok(NULL, " \n"), NULL, 0);
            int number = seccomp_syscall_resolve_name(strtok(NULL, " \n"));
            if (number == NR_SCMP_ERROR) continue;
            struct scmp_arg_cmp args[6];
            unsigned int count = 0;
            for (char *index = strtok(NULL, " \n"); index != NULL && count < 6; index = strtok(NULL, " \n")) {
                args[count].arg = (unsigned int)atoi(index);
                args[count].op = atoi(strtok(NULL, " \n"));
                args[count].datum_a = strtoull(strtok(NULL, " \n"), NULL, 0);
                args[count].datum_b = strtoull(strtok(NULL, " \n"), NULL, 0);
                count++;
            }
            if (seccomp_rule_add_array(ctx, action, number, count, args) != 0) refused = 1;
        } else if (strcmp(word, "export") == 0) {
            uint32_t none = 0;
            if (refused) fwrite(&none, sizeof none, 1, stdout);
            else if (write_filter(ctx) != 0) return 5;
            seccomp_release(ctx);
            ctx = NULL;
        } else if (strcmp(word, "resolve") == 0) {
            uint32_t arch = (uint32_t)strtoul(strtok(NULL, " \n"), NULL, 0);
            int32_t number = seccomp_syscall_resolve_name_arch(arch, strtok(NULL, " \n"));
            fwrite(&number, sizeof number, 1, stdout);
        } else {
            return 6;
        }
    }
    return ferror(stdout);
}
