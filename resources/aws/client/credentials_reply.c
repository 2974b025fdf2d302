/* What several links of the credential chain need to read what they are told: JSON, times, token files. See credentials_links.h. */
#include "resources/aws/client/credentials_links.h"

#include "engine/core/clock.h"
#include "engine/core/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { MAX_TOKEN_BYTES = 64 * 1024, MAX_REPLY_BYTES = 256 * 1024, MAX_QUOTE_BYTES = 300 };

struct sf_str sf_cred_setting(const struct sf_cred_walk *walk, struct sf_str profile, const char *key)
{
    return sf_map_str(sf_map_get(walk->config->profiles, profile), key);
}

struct sf_str sf_cred_quote(struct sf_arena *arena, struct sf_str text)
{
    text = sf_str_trim(text);
    struct sf_str copy = sf_str_dup(arena, sf_str_slice(text, 0, MAX_QUOTE_BYTES));
    char *p = (char *)(uintptr_t)copy.p;
    for (size_t i = 0; i < copy.n; i++) {
        if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
            p[i] = ' ';
    }
    return copy;
}

enum sf_code sf_cred_send(struct sf_cred_walk *walk, struct sf_http_request *request, int64_t within_ms,
                          struct sf_http_reply *reply, struct sf_err *err)
{
    int64_t until = sf_clock_ms() + within_ms;
    request->deadline_ms = until < walk->deadline_ms ? until : walk->deadline_ms;
    request->max_reply_bytes = MAX_REPLY_BYTES;
    enum sf_code rc = sf_http_send(walk->http, walk->arena, request, reply, err);
    if (rc == SF_E_UNKNOWN) {
        rc = SF_E_UNAVAILABLE;
        if (err)
            err->code = rc;
    }
    return rc;
}

enum sf_code sf_cred_json(struct sf_cred_walk *walk, struct sf_str text, const char *source, const struct sf_value **object,
                          struct sf_err *err)
{
    struct sf_err unquoted = {.code = SF_OK}; /* what the parser says may quote a secret */
    enum sf_code rc = sf_json_parse(walk->arena, text, source, SF_JSON_PLAIN, object, &unquoted);
    if (rc || (*object)->type != SF_V_MAP)
        return sf_fail(err, SF_E_AUTH, "%s answered with something that is no JSON object", source);
    return SF_OK;
}

enum sf_code sf_cred_take(struct sf_cred_walk *walk, const struct sf_value *reply, const struct sf_cred_names *names,
                          const char *source, struct sf_aws_credentials *found, struct sf_err *err)
{
    (void)walk;
    found->access_key = sf_map_str(reply, names->access_key);
    found->secret_key = sf_map_str(reply, names->secret_key);
    found->session_token = sf_map_str(reply, names->token);
    found->source = source;
    if (!found->access_key.n || !found->secret_key.n)
        return sf_fail(err, SF_E_AUTH, "the answer of %s lacks '%s'", source,
                       found->access_key.n ? names->secret_key : names->access_key);
    found->expires_ms = sf_map_int(reply, names->expiration, 0);
    struct sf_str expiration = sf_map_str(reply, names->expiration);
    if (expiration.n && !sf_cred_time(expiration, &found->expires_ms))
        return sf_fail(err, SF_E_AUTH, "'%s' in the answer of %s is no time", names->expiration, source);
    return SF_OK;
}

static bool two_digits(const char *text, int *out)
{
    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
        return false;
    *out = (text[0] - '0') * 10 + (text[1] - '0');
    return true;
}

/* "Z", "UTC", "+hh:mm", "-hhmm" or nothing: minutes east of Greenwich. */
static bool read_zone(const char *zone, int *minutes)
{
    int h, m;
    *minutes = 0;
    if (!*zone || strcmp(zone, "Z") == 0 || strcmp(zone, "UTC") == 0)
        return true;
    if ((zone[0] != '+' && zone[0] != '-') || !two_digits(zone + 1, &h))
        return false;
    const char *rest = zone[3] == ':' ? zone + 4 : zone + 3;
    if (!two_digits(rest, &m) || rest[2])
        return false;
    *minutes = (zone[0] == '-' ? -1 : 1) * (h * 60 + m);
    return true;
}

bool sf_cred_time(struct sf_str text, int64_t *wall_ms)
{
    char at[64];
    int century, year, month, day, hour, minute, second, offset;
    if (text.n < 19 || text.n >= sizeof(at))
        return false;
    memcpy(at, text.p, text.n);
    at[text.n] = 0;
    bool is_shaped = at[4] == '-' && at[7] == '-' && (at[10] == 'T' || at[10] == ' ') && at[13] == ':' && at[16] == ':';
    if (!is_shaped || !two_digits(at, &century) || !two_digits(at + 2, &year) || !two_digits(at + 5, &month) ||
        !two_digits(at + 8, &day) || !two_digits(at + 11, &hour) || !two_digits(at + 14, &minute) || !two_digits(at + 17, &second))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    const char *zone = at + 19;
    if (*zone == '.')
        zone += 1 + strspn(zone + 1, "0123456789");
    if (!read_zone(zone, &offset))
        return false;
    struct tm utc = {.tm_year = century * 100 + year - 1900,
                     .tm_mon = month - 1,
                     .tm_mday = day,
                     .tm_hour = hour,
                     .tm_min = minute,
                     .tm_sec = second};
    *wall_ms = ((int64_t)timegm(&utc) - (int64_t)offset * 60) * 1000;
    return true;
}

enum sf_code sf_cred_read_token(struct sf_cred_walk *walk, struct sf_str path, struct sf_str *token, struct sf_err *err)
{
    const char *file = sf_aws_home_path(walk->arena, path).p;
    char *bytes = sf_arena_alloc(walk->arena, MAX_TOKEN_BYTES + 1);
    size_t n = 0;
    ssize_t got;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sf_fail_errno(err, SF_E_AUTH, "cannot read the token in '%s'", file);
    while ((got = read(fd, bytes + n, MAX_TOKEN_BYTES + 1 - n)) > 0)
        n += (size_t)got;
    int cause = errno;
    close(fd);
    errno = cause;
    if (got < 0)
        return sf_fail_errno(err, SF_E_AUTH, "cannot read the token in '%s'", file);
    if (n > MAX_TOKEN_BYTES)
        return sf_fail(err, SF_E_AUTH, "the token in '%s' is larger than %d bytes", file, (int)MAX_TOKEN_BYTES);
    *token = sf_str_trim((struct sf_str){bytes, n});
    return token->n ? SF_OK : sf_fail(err, SF_E_AUTH, "the token in '%s' is empty", file);
}
