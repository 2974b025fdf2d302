"""What AWS's models have by now and the botocore in use may not: added to what botocore loads, on both sides of the wire.

Source: Redshift Management Guide, "Reduce API calls with long polling"; Data API reference, ExecuteStatement, BatchExecuteStatement.
"""

import copy

SHAPES = {"WaitTimeSeconds": {"type": "integer", "min": 1, "max": 30, "box": True},
          "ExecutionModeString": {"type": "string", "enum": ["TRANSACTION", "AUTO_COMMIT"]},
          "ActiveWaitingRequestsExceededException": {"type": "structure", "members": {"Message": {"shape": "String"}}, "exception": True}}
WAITED = {"Status": {"shape": "StatusString"}, "RedshiftPid": {"shape": "Long"}, "HasResultSet": {"shape": "Boolean"}}
WAITS = {"WaitTimeSeconds": {"shape": "WaitTimeSeconds"}}
MEMBERS = {  # operation: members of its input, of its output
    "DescribeStatement": (WAITS, {}), "GetStatementResult": (WAITS, {}), "GetStatementResultV2": (WAITS, {}),
    "ExecuteStatement": (WAITS, WAITED),
    "BatchExecuteStatement": ({**WAITS, "ExecutionMode": {"shape": "ExecutionModeString"}, "Parameters": {"shape": "SqlParametersList"}}, WAITED)}


def extended(service, model):
    """The model of a service, as botocore's loader gives it, with what is newer."""
    if service != "redshift-data":
        return model
    model = copy.deepcopy(model)
    shapes = model["shapes"]
    for name, shape in SHAPES.items():
        shapes.setdefault(name, shape)
    for name, added in MEMBERS.items():
        operation = model["operations"].get(name, {})
        for end, members in zip(("input", "output"), added):
            if end in operation:
                shapes[operation[end]["shape"]]["members"] = members | shapes[operation[end]["shape"]]["members"]
    return model
