"""How Arm's prebuilt runner is run: one boot for many inputs where the simulator can do that, else one each.

Arm's FVP has no way to begin again with other memory, neither on its command line nor by a signal.
"""

from __future__ import annotations

from deploy.targets.runner_run import Boots, RunnerSettings


def runner_boots(settings: RunnerSettings) -> Boots:
    """What runs the runner: the open machine of this installation within this process, others a process each."""
    if settings.simulator.own:
        from deploy.targets.runner_resident import ResidentRunner

        return ResidentRunner(settings)
    from deploy.targets.runner_process import SimulatorRunner

    return SimulatorRunner(settings)
