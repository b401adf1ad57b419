"""The rules, one file a kind of site; ``ALL`` in the order in which they get first say over an operator."""

from __future__ import annotations

from deploy.rewriting.rules.channel_reductions import channel_maxima, channel_means
from deploy.rewriting.rules.channel_shuffles import channel_shuffles
from deploy.rewriting.rules.concatenations import concatenations
from deploy.rewriting.rules.elementwise import elementwise
from deploy.rewriting.rules.global_pooling import global_maxima, global_means
from deploy.rewriting.rules.narrow_convolutions import narrow_convolutions
from deploy.rewriting.rules.softmaxes import softmaxes
from deploy.rewriting.rules.transposes import transposes
from deploy.rewriting.rules.upsampling import upsampling
from deploy.rewriting.site import Rule

ALL: tuple[Rule, ...] = (
    channel_means,
    channel_maxima,
    global_means,
    global_maxima,
    upsampling,
    channel_shuffles,
    transposes,
    narrow_convolutions,
    concatenations,
    elementwise,
    softmaxes,
)
