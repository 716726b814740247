"""nmt-attn: neural machine translation with recurrent networks and attention."""

__version__ = "0.1.0"
