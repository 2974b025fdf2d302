/* Text and numbers as the data contract writes them: trimming, folding, parts, keys, money. Pure functions.
 *
 * A blank is U+0020 or a tab. A part is written as its length in bytes, a colon, its bytes ("4:fund"), so that no two lists of
 * parts are written alike. */
#ifndef SF_DATA_CONFORM_TEXT_H
#define SF_DATA_CONFORM_TEXT_H

#include "engine/core/str.h"

/* Without blanks on either side. */
struct sf_str sf_text_trim(struct sf_str s);
/* Tabs to blanks, blanks collapsed and trimmed, A-Z to a-z, nothing else. `out` holds at least s.n bytes; returns the length. */
size_t sf_text_fold(struct sf_str s, char *out);
/* Appends one part. */
void sf_text_part(struct sf_buf *out, struct sf_str s);
/* The same, folded first. */
void sf_text_part_folded(struct sf_buf *out, struct sf_str s);

/* First 15 hex digits of SHA-256 as a number, below 2^60. */
uint64_t sf_text_hash60(struct sf_str bytes);
/* A dimension member's key: 1 + hash60 modulo 2^53 - 1, exact in JavaScript. */
int64_t sf_text_key(struct sf_str parts);
/* Lowercase hex SHA-256, 64 characters, no NUL. */
void sf_text_sha256_hex(struct sf_str bytes, char hex[64]);
void sf_text_hex(const unsigned char *bytes, size_t n, char *out);

/* Money to integer cents: optional sign, digits with or without thousands separators, at most two decimals (zeros may be
 * dropped), blanks around it. NULL, or why it is not: a short constant text. Parentheses, currency signs and exponents are not. */
const char *sf_text_money(struct sf_str s, int64_t *cents);
/* The same for what nearly every amount is: a minus or nothing, one to thirteen digits, a point, two digits. False: ask
 * sf_text_money(). 17 bytes from p on are readable. */
bool sf_text_plain_money(const char *p, size_t n, int64_t *cents);
/* "-24051145.45": exactly two decimals. Returns the length, at most SF_TEXT_MONEY_MAX. */
enum { SF_TEXT_MONEY_MAX = 24, SF_TEXT_INT_MAX = 20 };
size_t sf_text_write_money(int64_t cents, char *out);
size_t sf_text_write_int(int64_t value, char *out);

#endif
