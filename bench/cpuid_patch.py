"""Copies of programs with UD0 for each CPUID, for processors where CPUID can't
fault: UD0 always does, by SIGILL, which bench/cpuid_mask.c answers. It is as
long, and compilers don't write it; UD2 they do.

Where an instruction begins says objdump (binutils). What other libraries ask of
CPUID (libc, numpy) stays as it is.
"""

import importlib.util
import os
import re
import shutil
import subprocess

CPUID, UD0 = b"\x0f\xa2", b"\x0f\xff"
# Of objdump -h: number, name, size, address, address of loading, offset.
SECTION = re.compile(r" *\d+ (\S+) +[0-9a-f]+ +([0-9a-f]+) +[0-9a-f]+ "
                     r"+([0-9a-f]+) ")
BEGIN = "Disassembly of section "
MODULE = "onnxruntime_pybind11_state"


def faults():
    """Whether CPUID can: by the flag that arch_prctl's ARCH_SET_CPUID goes by."""
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        return "cpuid_fault" in f.read().split()


def places(path):
    """Offsets of the file's CPUID instructions."""
    shifts, shift, out = {}, 0, []
    with subprocess.Popen(
            ["objdump", "-h", "-d", "--no-show-raw-insn", path], text=True,
            stdout=subprocess.PIPE, env=dict(os.environ, LC_ALL="C")) as p:
        for line in p.stdout:
            if "\tcpuid" in line:
                out.append(int(line.split(":")[0], 16) + shift)
            elif line.startswith(BEGIN):
                shift = shifts[line[len(BEGIN):].strip().rstrip(":")]
            elif m := SECTION.match(line):
                shifts[m[1]] = int(m[3], 16) - int(m[2], 16)
    if p.returncode != 0 or not out:
        raise SystemExit(f"objdump finds no cpuid in {path}")
    return out


def copy(path, to):
    """The file, but with UD0 for CPUID."""
    with open(path, "rb") as f:
        data = bytearray(f.read())
    for at in places(path):
        assert data[at:at + 2] == CPUID, f"{path}: no cpuid at {at:#x}"
        data[at:at + 2] = UD0
    with open(to, "wb") as f:
        f.write(data)
    shutil.copymode(path, to)


def links(source, to, but):
    """A folder that links to all that source holds, but for one name."""
    os.makedirs(to)
    for name in os.listdir(source):
        if name not in (but, "__pycache__"):
            os.symlink(os.path.join(source, name), os.path.join(to, name))


def onnxruntime_copy(folder):
    """The package, for a PYTHONPATH of folder."""
    source = os.path.dirname(importlib.util.find_spec("onnxruntime").origin)
    capi, to = (os.path.join(at, "capi") for at in
                (source, os.path.join(folder, "onnxruntime")))
    module, = (name for name in os.listdir(capi) if name.startswith(MODULE))
    links(source, os.path.dirname(to), "capi")
    links(capi, to, module)
    copy(os.path.join(capi, module), os.path.join(to, module))
