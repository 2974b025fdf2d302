/* Percent-encoding and paths as Signature Version 4 wants them. Pure. */
#ifndef SF_AWS_URI_H
#define SF_AWS_URI_H

#include "engine/core/str.h"

/* RFC 3986: everything but A-Z a-z 0-9 - . _ ~ as %XX in upper case; '/' too unless keep_slash. */
void sf_uri_encode(struct sf_buf *buf, struct sf_str text, bool keep_slash);
/* Only what no URL may hold as it is: blanks, control characters, bytes above 0x7e. Escapes and reserved characters stay. */
void sf_uri_encode_stray(struct sf_buf *buf, struct sf_str text);
/* %XX undone; '+' stays. Malformed escapes stay as they are. */
struct sf_str sf_uri_decode(struct sf_arena *arena, struct sf_str text);
/* Dot segments and doubled slashes taken out; "/" at least. As botocore: "/a/.." is "/", "/a/b/.." is "/a" (RFC 3986 5.2.4 would
 * keep the slash after it). */
struct sf_str sf_uri_normalize(struct sf_arena *arena, struct sf_str path);

#endif
