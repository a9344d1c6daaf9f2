"""Plot the angle and the holds of the first stretch: plot_session.py SESSION.h5 [PICTURE.png]"""
import sys
import h5py
import matplotlib.pyplot as plt

with h5py.File(sys.argv[1], "r") as session:
    stretch = next(iter(session["protocols"].values()))
    measure = stretch.attrs["primary_measure"]
    angle = session["derived/angles/" + measure]
    plt.plot(session["derived/angles/time"][:], angle[:])
    for event in session["events"]:
        if event["type"] == b"hold":
            plt.axvspan(event["onset_s"], event["onset_s"] + event["duration_s"], alpha=0.3)
    plt.xlabel("time (s)")
    plt.ylabel(f"{measure} ({angle.attrs['units']})")
    plt.savefig(sys.argv[2]) if len(sys.argv) > 2 else plt.show()
