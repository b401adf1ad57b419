"""Finding, installing and driving Corstone simulators: Arm's FVP and the open one."""
