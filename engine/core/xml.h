/* XML to values, for replies of servers: elements only. Attributes and namespaces are dropped, prefixes are kept out of names.
 *
 * An element with child elements is a map, one without is a string (its text, blanks kept); a child that occurs several times is a
 * list in that place of the map. So one `<member>` and three of them differ in type: read lists through an accessor that takes
 * both. Refused: DOCTYPE (and so entities of the text's own), depth over SF_MAX_JSON_DEPTH, more than SF_MAX_JSON_BYTES, anything
 * not well-formed. In an element with children, text between them is dropped. */
#ifndef SF_CORE_XML_H
#define SF_CORE_XML_H

#include "engine/core/value.h"

/* The root element's content is *out and its name *root. SF_E_CONFIG on any defect, its line and column in the message: it is in a
 * reply, not in a file of the user's. Linear in the text, whatever it holds. */
enum sf_code sf_xml_parse(struct sf_arena *arena, struct sf_str text, struct sf_str *root, const struct sf_value **out,
                          struct sf_err *err) SF_MUST_CHECK;

/* Text with & < > " ' and carriage returns escaped, for bodies that we send. Other control characters have no form in XML. */
void sf_xml_write_text(struct sf_buf *buf, struct sf_str text);

#endif
