/* Reads lines: a version, or two with a tab between. Writes 1 or 0, whether dpkg takes the version
   without a warning, or the order of the two. */

#define LIBDPKG_VOLATILE_API 1
#include <dpkg/dpkg.h>
#include <dpkg/dpkg-db.h>
#include <stdio.h>
#include <string.h>

static int parsed(struct dpkg_version *version, const char *text)
{
    struct dpkg_error error = DPKG_ERROR_INIT;
    int failed = parseversion(version, text, &error);
    dpkg_error_destroy(&error);
    return !failed;
}

int main(void)
{
    static char line[4096];

    while (fgets(line, sizeof line, stdin)) {
        struct dpkg_version low, high;
        char *second = strchr(line, '\t');

        line[strcspn(line, "\n")] = '\0';
        if (second == NULL) {
            puts(parsed(&low, line) ? "1" : "0");
        } else {
            *second++ = '\0';
            if (!parsed(&low, line) || !parsed(&high, second))
                return 1;
            int order = dpkg_version_compare(&low, &high);
            puts(order < 0 ? "-1" : order > 0 ? "1" : "0");
        }
    }
    return 0;
}
