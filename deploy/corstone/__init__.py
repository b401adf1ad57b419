"""The open Corstone-300: stock QEMU and the NPU model behind the FVP command line."""
