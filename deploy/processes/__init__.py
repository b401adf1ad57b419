"""Other processes: bounded in time, memory and output, ended as a group, and never left behind.

- :mod:`~deploy.processes.supervisor` runs a command to its end and says how it ended;
- :mod:`~deploy.processes.child` is one running program, for whoever talks to it meanwhile;
- :mod:`~deploy.processes.warm` runs a Python module many times without importing it many times;
- :mod:`~deploy.processes.forked` tries a call that may end the whole process.

Nothing of the project but its errors is imported here.
"""
