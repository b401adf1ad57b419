"""The functional model of Ethos-U55 and U65: executes Vela command streams on byte arrays, bit for bit."""
