/* SQL that a person wrote into a check: what may stand in it. See checks.h.
 *
 * A query runs with the loader's rights in the middle of the load, so a slip of the pen must not end the transaction or write. It
 * is no wall against its author, who could as well load other data. */
#include "resources/data/checks.h"

enum { MAX_WORD = 64 };

static const char *const writing_words[] = {
    "insert", "update", "delete",  "merge",   "drop",       "create",  "alter",   "truncate", "copy",    "unload", "grant",
    "revoke", "into",   "call",    "do",      "vacuum",     "lock",    "commit",  "rollback", "begin",   "set",    "reset",
    "listen", "notify", "execute", "prepare", "deallocate", "declare", "comment", "analyze",  "refresh",
};

/* One piece of SQL: a word, a text, a comment, or a single other character. */
struct piece {
    enum { END, WORD, QUOTED_WORD, TEXT, COMMENT, OTHER, UNCLOSED } type;
    struct sf_str text; /* of a word without its quotes */
};

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_word(char c)
{
    return is_word_start(c) || (c >= '0' && c <= '9') || c == '$';
}

/* Where the text or word that opens at `i` with `quote` ends: past its closing quote, or SIZE_MAX. Doubled quotes stay inside. */
static size_t end_of_quoted(struct sf_str sql, size_t i, char quote)
{
    for (size_t k = i + 1; k < sql.n; k++) {
        if (sql.p[k] != quote)
            continue;
        if (k + 1 < sql.n && sql.p[k + 1] == quote)
            k++;
        else
            return k + 1;
    }
    return SIZE_MAX;
}

static struct piece quoted(struct sf_str sql, size_t *at, char quote)
{
    size_t end = end_of_quoted(sql, *at, quote);
    struct piece piece = {end == SIZE_MAX ? UNCLOSED : quote == '"' ? QUOTED_WORD : TEXT, SF_STR_NONE};
    if (end == SIZE_MAX)
        end = sql.n;
    else
        piece.text = sf_str_slice(sql, *at + 1, end - 1);
    *at = end;
    return piece;
}

static struct piece next(struct sf_str sql, size_t *at)
{
    while (*at < sql.n && (sql.p[*at] == ' ' || sql.p[*at] == '\t' || sql.p[*at] == '\n' || sql.p[*at] == '\r'))
        (*at)++;
    if (*at >= sql.n)
        return (struct piece){END, SF_STR_NONE};
    size_t from = *at;
    char c = sql.p[from], after = from + 1 < sql.n ? sql.p[from + 1] : 0;
    if (c == '\'' || c == '"')
        return quoted(sql, at, c);
    if ((c == 'e' || c == 'E') && after == '\'') { /* E'\'' of PostgreSQL: the one text in which a backslash hides a quote */
        (*at)++;
        return (struct piece){OTHER, SF_STR("\\")};
    }
    if (c == '-' && after == '-') { /* to PostgreSQL a carriage return is the end of a line too */
        while (*at < sql.n && sql.p[*at] != '\n' && sql.p[*at] != '\r')
            (*at)++;
        return (struct piece){COMMENT, SF_STR_NONE};
    }
    if (c == '/' && after == '*') {
        size_t end = sf_str_find(sf_str_slice(sql, from + 2, sql.n), SF_STR("*/"));
        *at = end == SIZE_MAX ? sql.n : from + 2 + end + 2;
        return (struct piece){end == SIZE_MAX ? UNCLOSED : COMMENT, SF_STR_NONE};
    }
    while (*at < sql.n && (*at == from ? is_word_start(sql.p[*at]) : is_word(sql.p[*at])))
        (*at)++;
    if (*at > from)
        return (struct piece){WORD, sf_str_slice(sql, from, *at)};
    (*at)++;
    return (struct piece){OTHER, sf_str_slice(sql, from, from + 1)};
}

static bool same_word(struct sf_str a, struct sf_str b)
{
    bool same = a.n == b.n;
    for (size_t i = 0; same && i < a.n; i++)
        same = (a.p[i] >= 'A' && a.p[i] <= 'Z' ? (char)(a.p[i] + 32) : a.p[i]) == b.p[i];
    return same;
}

bool sf_check_is_readonly(struct sf_arena *arena, struct sf_str sql, bool is_query, const char **why)
{
    size_t at = 0;
    int depth = 0;
    bool is_first = true;
    for (;;) {
        struct piece piece = next(sql, &at);
        *why = NULL;
        switch (piece.type) {
        case END:
            *why = is_first ? "is empty" : depth ? "has a bracket that is not closed" : NULL;
            return *why == NULL;
        case UNCLOSED:
            *why = "has a quote or comment that is not closed";
            break;
        case WORD:
            for (size_t i = 0; i < SF_COUNT(writing_words); i++)
                if (same_word(piece.text, sf_str_of(writing_words[i])))
                    *why = sf_str_fmt(arena, "may only read: '%s' is not for checks (a column of that name goes in double quotes)",
                                      writing_words[i])
                               .p;
            if (is_first && is_query && !same_word(piece.text, SF_STR("select")) && !same_word(piece.text, SF_STR("with")))
                *why = "must begin with select or with";
            is_first = false;
            break;
        case OTHER:
            depth += piece.text.p[0] == '(' ? 1 : piece.text.p[0] == ')' ? -1 : 0;
            if (piece.text.p[0] == ';')
                *why = "is one statement: no ';'";
            else if (piece.text.p[0] == '$' || piece.text.p[0] == '\\' || piece.text.p[0] == 0)
                *why = "holds a character that has no place in it: '$', '\\' or NUL";
            else if (depth < 0)
                *why = "closes a bracket that it did not open";
            else if (is_first && is_query)
                *why = "must begin with select or with";
            is_first = false;
            break;
        case QUOTED_WORD:
        case TEXT:
            if (is_first && is_query)
                *why = "must begin with select or with";
            is_first = false;
            break;
        case COMMENT:
            break;
        }
        if (*why)
            return false;
    }
}

bool sf_check_mentions(struct sf_str sql, struct sf_str word)
{
    size_t at = 0;
    for (;;) {
        struct piece piece = next(sql, &at);
        if (piece.type == END)
            return false;
        if ((piece.type == WORD && same_word(piece.text, word)) || (piece.type == QUOTED_WORD && sf_str_eq(piece.text, word)))
            return true;
    }
}
