import time, cProfile, pstats
from tests.faults import stage
from tests.faults.tmp_act import act2
from tests.faults.test_faults import *
def test_t(database, monkeypatch):
    monkeypatch.setattr(stage.actors, "act", act2)
    f=[x for x in FAULTS if str(x)=="kill -9 after"][0]
    publishing(database,"record bucket",f,None)
    p=cProfile.Profile(); t=time.process_time(); w=time.time()
    p.enable()
    for i in range(5): publishing(database,"record bucket",f,"one")
    p.disable()
    print("parent cpu per case", (time.process_time()-t)/5, "wall", (time.time()-w)/5)
    pstats.Stats(p).sort_stats("tottime").print_stats(18)
