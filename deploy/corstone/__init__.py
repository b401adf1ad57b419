"""The open Corstone-300, 310 and 320: stock QEMU and the NPU model behind the FVP command line.

The CPU, its memories, timers and UARTs are QEMU's machine mps3-an547, which is a Corstone-300. For Corstone-310
some registers are answered from here; for Corstone-320, whose addresses no QEMU has, the image is moved, too. The
NPU is `deploy.npu`: every access to its registers stops the CPU (a watchpoint of QEMU's gdbstub) and is carried
out here, as is the command stream when it is started. Functional: results are exact, time is not. CPU cycles mean
nothing, the NPU's cycle and bus counters are estimates, a run is over when the store that starts it is, caches and
bus wait states do not exist.

Not modelled: Ethernet, display, virtual streaming (their registers read zero), vector or exclusive accesses to NPU
registers (refused with the place), SRAM beyond 4 MB, what a Cortex-M85 has beyond a Cortex-M55.
"""
