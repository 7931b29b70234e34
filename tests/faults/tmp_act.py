import time
from tests.faults import actors
def act2(pipe, *a):
    t0=time.process_time(); w=time.time()
    actors.act(pipe, *a)
    open("/tmp/fx/cpu.txt","a").write(f"{a[2].__name__} cpu {time.process_time():.3f} (from start {time.process_time()-t0:.3f}) wall {time.time()-w:.3f}\n")
