"""What differs between the members of the Ethos-U55/U65 family."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.npu.errors import UnsupportedError

LUT_BYTES = 2048
"""Size of the lookup table area at the end of each core's SHRAM."""


@dataclass(frozen=True)
class _Member:
    shram_kb: int
    cores: int
    ofm_ublock: tuple[int, int, int]
    ifm_ublock: tuple[int, int, int]


# Source: Vela 5.2.0, ethosu/vela/architecture_features.py (accelerator_configs); height, width, depth.
_MEMBERS: dict[tuple[str, int], _Member] = {
    ("U55", 32): _Member(16, 1, (1, 1, 4), (1, 1, 8)),
    ("U55", 64): _Member(16, 1, (1, 1, 8), (1, 1, 8)),
    ("U55", 128): _Member(24, 1, (1, 2, 8), (1, 2, 8)),
    ("U55", 256): _Member(48, 1, (2, 2, 8), (2, 2, 8)),
    ("U65", 256): _Member(48, 1, (2, 2, 8), (2, 2, 8)),
    ("U65", 512): _Member(48, 2, (2, 2, 8), (2, 2, 8)),
}


@dataclass(frozen=True)
class Architecture:
    """One NPU configuration.

    Attributes:
        product: ``U55`` or ``U65``.
        macs: 8-bit multiply-accumulate units, all cores together.

    Raises:
        UnsupportedError: there is no such member, or the model does not cover it (U85).
    """

    product: str
    macs: int

    def __post_init__(self) -> None:
        if (self.product, self.macs) not in _MEMBERS:
            known = ", ".join(f"{product}-{macs}" for product, macs in _MEMBERS)
            raise UnsupportedError(f"no model of Ethos-{self.product}-{self.macs}; known are {known}")

    @property
    def _member(self) -> _Member:
        return _MEMBERS[self.product, self.macs]

    @property
    def name(self) -> str:
        """``U55-128`` and so on."""
        return f"{self.product}-{self.macs}"

    @property
    def cores(self) -> int:
        """Number of cores (2 on U65-512)."""
        return self._member.cores

    @property
    def shram_kb(self) -> int:
        """SHRAM per core, in KB."""
        return self._member.shram_kb

    @property
    def lut_address(self) -> int:
        """Offset of the lookup tables in SHRAM (measured: they fill its last 2 KB)."""
        return self.shram_kb * 1024 - LUT_BYTES

    @property
    def ofm_ublock(self) -> tuple[int, int, int]:
        """Height, width and depth of the OFM unit of work."""
        return self._member.ofm_ublock

    @property
    def ifm_ublock(self) -> tuple[int, int, int]:
        """Height, width and depth of the IFM unit of work."""
        return self._member.ifm_ublock

    @property
    def config_word(self) -> int:
        """The CONFIG register, which is also the config word in the custom operator's payload.

        log2(MACs) in bits 3:0, SHRAM of all cores in KB in bits 15:8, product (0 U55, 1 U65) in bits 31:28.
        """
        product = {"U55": 0, "U65": 1}[self.product]
        return self.macs.bit_length() - 1 | self.shram_kb * self.cores << 8 | product << 28


def architecture_of(config_word: int) -> Architecture:
    """The configuration that a CONFIG word describes.

    Raises:
        UnsupportedError: no known member has this word.
    """
    for product, macs in _MEMBERS:
        architecture = Architecture(product, macs)
        if architecture.config_word == config_word:
            return architecture
    raise UnsupportedError(f"config word {config_word:#010x} describes no known Ethos-U55 or U65")
