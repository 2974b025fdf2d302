/* Fields inside a dataset's `tables` and `years`: what it says of each file. Its attributes themselves are in attr/dataset.h. */
#ifndef SF_DATA_DATASET_ATTRS_H
#define SF_DATA_DATASET_ATTRS_H

#if __has_include("attr/dataset.h")
#include "attr/dataset.h"
#else
#define DATASET_RULES "rules"
#define DATASET_SNAPSHOT "snapshot"
#define DATASET_IS_SAMPLE "is_sample"
#define DATASET_REJECTED "rejected"
#define DATASET_MAX_REJECTS "max_rejects"
#define DATASET_REJECTS_FILE "rejects_file"
#define DATASET_DATA_AS_OF "data_as_of"
#define DATASET_DATA_LOADED_AT "data_loaded_at"
#define DATASET_TABLES "tables"
#define DATASET_YEARS "years"
#define DATASET_FACT_COLUMNS "fact_columns"
#endif

#define FILE_KEY "key"
#define FILE_ROWS "rows"
#define FILE_BYTES "bytes"
#define FILE_SHA256 "sha256"
#define FILE_DIGEST "digest"
#define FILE_COLUMNS "columns"

#endif
