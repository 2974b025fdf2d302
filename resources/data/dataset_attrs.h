/* Fields inside a dataset's `tables`, `years` and `raw`: what it says of each file. Its attributes themselves are in
 * attr/dataset.h. */
#ifndef SF_DATA_DATASET_ATTRS_H
#define SF_DATA_DATASET_ATTRS_H

#include "attr/dataset.h"

#define RAW_TABLE "raw" /* what the manifest of raw files is called */
#define FILE_KEY "key"
#define FILE_ROWS "rows"
#define FILE_BYTES "bytes"
#define FILE_SHA256 "sha256"
#define FILE_DIGEST "digest"
#define FILE_COLUMNS "columns"
/* Of a part of the fact: the sum of its keys, which are all different, modulo this. */
#define FILE_KEYS "keys"
#define SF_KEYS_MODULUS INT64_C(1000000000000000000)
/* A table that comes in a file a part has, in place of the first, third to fifth, a map of them here: {"2025": {key, rows, ...}}.
 */
#define TABLE_PARTS "parts"

#endif
