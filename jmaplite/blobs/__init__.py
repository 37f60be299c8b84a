"""Octets by digest: the port, and the drivers beside it."""

from jmaplite.blobs.port import DIGEST_OCTETS, Blobs, BlobTooLarge, Staged, UnknownBlob, Upload

__all__ = ["DIGEST_OCTETS", "BlobTooLarge", "Blobs", "Staged", "UnknownBlob", "Upload"]
