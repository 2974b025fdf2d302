"""What a role may do, from its policies in moto's IAM: allow and deny, actions, resources, and the conditions of which S3 has need here.

Written from the rules of "Policy evaluation logic" in the IAM User Guide: an explicit deny wins, what nothing allows is denied. moto's
own engine is no oracle (it takes `Deny` with an unmet condition for a denial and does not read NotResource).
"""

import fnmatch
import functools
import json
import re
import urllib.parse

from server_iam import as_list


def statements_of(role, session_policy=None):
    """[statements of identity policies], [statements of the session policy] or None."""
    found = [statement for text in texts_of(role) for statement in as_list(document(text).get("Statement", []))]
    return found, as_list(document(session_policy).get("Statement", [])) if session_policy else None


def texts_of(role):
    """Its policies as they are at the moment, attached and its own."""
    texts = [next(version.document for version in policy.versions if version.is_default) for policy in role.managed_policies.values()]
    texts += role.policies.values()
    return tuple(json.dumps(text) if isinstance(text, dict) else text for text in texts)


def document(text):
    return text if isinstance(text, dict) else parsed(text.strip())


@functools.lru_cache(1024)
def parsed(text):
    """Nobody changes what this gives."""
    return json.loads(text if text.startswith("{") else urllib.parse.unquote(text))


def may(statements, action, resource, context=None):
    """Whether statements allow an action on a resource. `context`: {condition key in lower case: value}."""
    found = [s for s in statements if matches(s, action, resource, context or {})]
    return any(s["Effect"] == "Allow" for s in found) and not any(s["Effect"] == "Deny" for s in found)


def role_may(role, action, resource, context=None, session_policy=None):
    return texts_allow(texts_of(role), session_policy, action, resource, tuple((context or {}).items()))


@functools.lru_cache(65536)
def texts_allow(texts, session_policy, action, resource, context):
    """A user's directory is compared with S3 at each call, and asks the same of every file."""
    sets = [[statement for text in some for statement in as_list(document(text).get("Statement", []))]
            for some in ([texts, [session_policy]] if session_policy else [texts])]
    return all(may(statements, action, resource, dict(context)) for statements in sets)


def matches(statement, action, resource, context):
    if "Action" in statement:
        is_action = any(like(pattern.lower(), action.lower()) for pattern in as_list(statement["Action"]))
    else:
        is_action = not any(like(pattern.lower(), action.lower()) for pattern in as_list(statement["NotAction"]))
    if "Resource" in statement:
        is_resource = any(like(pattern, resource) for pattern in as_list(statement["Resource"]))
    else:
        is_resource = not any(like(pattern, resource) for pattern in as_list(statement["NotResource"]))
    return is_action and is_resource and all(
        condition_holds(operator, key, as_list(wanted), context)
        for operator, pairs in statement.get("Condition", {}).items() for key, wanted in pairs.items())


@functools.lru_cache(4096)
def expression(pattern):
    """A pattern, whose wildcards are * and ? alone, as a regular expression."""
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))


def like(pattern, text):
    return expression(pattern).fullmatch(text) is not None


def condition_holds(operator, key, wanted, context):
    have = context.get(key.lower())
    name = operator.removesuffix("IfExists")
    if have is None:
        if name == "Null":
            return "true" in [str(value).lower() for value in wanted]
        return operator.endswith("IfExists") or name in ("StringNotEquals", "StringNotLike", "ArnNotEquals", "ArnNotLike")
    tests = {
        "StringEquals": lambda value: have == value, "StringLike": lambda value: like(value, have), "ArnEquals": lambda value: like(value, have),
        "ArnLike": lambda value: like(value, have), "Bool": lambda value: have.lower() == str(value).lower(),
        "StringEqualsIgnoreCase": lambda value: have.lower() == value.lower(),
    }
    if name == "Null":
        return "false" in [str(value).lower() for value in wanted]
    if name.startswith(("StringNot", "ArnNot")):
        return not any(tests[name.replace("Not", "", 1)](value) for value in wanted)
    if name not in tests:
        return False  # what is not understood allows nothing
    return any(tests[name](value) for value in wanted)


def is_trusted(role, services, context):
    """Whether a role's trust policy lets one of the services assume it."""
    trust = document(role.assume_role_policy_document)
    found = {"Allow": False, "Deny": False}
    for statement in as_list(trust.get("Statement", [])):
        principal = statement.get("Principal", {})
        named = "*" if principal == "*" else as_list(principal.get("Service", []))
        is_service = named == "*" or any(service in named for service in services)
        is_action = any(like(pattern.lower(), "sts:assumerole") for pattern in as_list(statement.get("Action", [])))
        holds = all(condition_holds(operator, key, as_list(wanted), context)
                    for operator, pairs in statement.get("Condition", {}).items() for key, wanted in pairs.items())
        if is_service and is_action and holds:
            found[statement["Effect"]] = True
    return found["Allow"] and not found["Deny"]
