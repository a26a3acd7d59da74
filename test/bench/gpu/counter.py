"""Prints the energy counters of all NVIDIA GPUs, which nvidia-smi does not show.

One line for each change of a counter: unix ms, index of the GPU, millijoules. Needs the library of the
driver and nothing else. Ends when its standard input does.
"""
import ctypes
import select
import sys
import time

EVERY_S = 0.02

NOT_SUPPORTED = 3

try:
    nvml = ctypes.CDLL("libnvidia-ml.so.1")
except OSError as error:
    sys.exit(f"the library of the NVIDIA driver cannot be loaded: {error}")


def check(code, call):
    if code == NOT_SUPPORTED:
        sys.exit("this GPU has no energy counter: NVIDIA's have one from Volta on")
    if code != 0:
        sys.exit(f"{call} failed with NVML code {code}")


check(nvml.nvmlInit_v2(), "nvmlInit_v2")
count = ctypes.c_uint()
check(nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)), "nvmlDeviceGetCount_v2")
gpus = []
for index in range(count.value):
    gpu = ctypes.c_void_p()
    check(nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(gpu)), "nvmlDeviceGetHandleByIndex_v2")
    gpus.append(gpu)
last = [None] * len(gpus)
while not select.select([sys.stdin], [], [], EVERY_S)[0]:
    for index, gpu in enumerate(gpus):
        millijoules = ctypes.c_ulonglong()
        code = nvml.nvmlDeviceGetTotalEnergyConsumption(gpu, ctypes.byref(millijoules))
        check(code, "nvmlDeviceGetTotalEnergyConsumption")
        if millijoules.value != last[index]:
            last[index] = millijoules.value
            print(f"{time.time() * 1000:.1f},{index},{millijoules.value}", flush=True)
