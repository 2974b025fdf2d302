/* The two ways in which the portal writes when its data were taken. See checks.h. */
#include "resources/data/checks.h"

/* Days since 1970-01-01 of a date of the Gregorian calendar: years are counted from March, so that the leap day is the last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* Reads the digits at `*at`, from `min` to `max` of them. */
static bool read_digits(struct sf_str s, size_t *at, size_t min, size_t max, int64_t *out)
{
    size_t n = 0;
    for (*out = 0; n < max && *at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9'; n++)
        *out = *out * 10 + (s.p[(*at)++] - '0');
    return n >= min;
}

static bool read_char(struct sf_str s, size_t *at, char c)
{
    return *at < s.n && s.p[*at] == c && ++*at > 0;
}

static bool read_month(struct sf_str s, size_t *at, int64_t *month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int64_t m = 0; m < 12 && *at + 3 <= s.n; m++)
        if (memcmp(s.p + *at, names + 3 * m, 3) == 0) {
            *month = m + 1;
            *at += 3;
            return true;
        }
    return false;
}

bool sf_as_of_ms(struct sf_str text, int64_t *ms)
{
    int64_t year, month, day, hour = 0, minute = 0, second = 0, fraction = 0;
    size_t at = 0;
    if (!read_digits(text, &at, 4, 4, &year) || at >= text.n)
        return false;
    bool is_portal = text.p[at] == ' ';
    char between = is_portal ? ' ' : '-';
    at++;
    if (text.p[at - 1] != between || !(is_portal ? read_month(text, &at, &month) : read_digits(text, &at, 2, 2, &month)) ||
        !read_char(text, &at, between) || !read_digits(text, &at, 2, 2, &day))
        return false;
    if (at < text.n || is_portal) {
        if (!read_char(text, &at, is_portal ? ' ' : 'T') || !read_digits(text, &at, 2, 2, &hour) || !read_char(text, &at, ':') ||
            !read_digits(text, &at, 2, 2, &minute) || !read_char(text, &at, ':') || !read_digits(text, &at, 2, 2, &second))
            return false;
        if (read_char(text, &at, '.') && !read_digits(text, &at, 1, 9, &fraction))
            return false;
    }
    if (is_portal) {
        bool is_pm = sf_str_is(sf_str_slice(text, at, text.n), " PM");
        if ((!is_pm && !sf_str_is(sf_str_slice(text, at, text.n), " AM")) || hour < 1 || hour > 12)
            return false;
        hour = hour % 12 + (is_pm ? 12 : 0);
        at = text.n;
    }
    if (at != text.n || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    *ms = (((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000;
    return true;
}
