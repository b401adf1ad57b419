"""Other processes: bounded in time, memory and output, ended as a group, and never left behind.

- :mod:`~deploy.processes.supervisor` runs a command to its end and says how it ended;
- :mod:`~deploy.processes.child` is one running program, for whoever talks to it meanwhile;
- :mod:`~deploy.processes.warm` runs a Python module many times without importing it many times;
- :mod:`~deploy.processes.forked` makes one call in a fork;
- :mod:`~deploy.processes.worker` is a fork that answers requests, each of which may end it.

Nothing of the project but its errors is imported here.
"""
