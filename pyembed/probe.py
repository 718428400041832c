# Run once by the Python to be embedded: says what it is and where its shared library may be.
import json, os, struct, sys, sysconfig

get = sysconfig.get_config_var
names = [n for n in (get("INSTSONAME"), get("LDLIBRARY"), get("PY3LIBRARY")) if n and ".so" in n]
names.append("libpython%d.%d%s.so.1.0" % (*sys.version_info[:2], getattr(sys, "abiflags", "")))
names = [n for n in dict.fromkeys(names) if n != "libpython3.so"]
folders = [get("LIBDIR"), os.path.join(sys.base_prefix, "lib")]
if get("MULTIARCH"):
    folders += [os.path.join(f, get("MULTIARCH")) for f in folders if f]
folders.append(get("LIBPL"))
folders = [f for f in dict.fromkeys(folders) if f]
print(json.dumps({
    "Executable": sys.executable,
    "Implementation": sys.implementation.name,
    "Version": sys.version.split()[0],
    "Major": sys.version_info[0],
    "Minor": sys.version_info[1],
    "FreeThreaded": bool(get("Py_GIL_DISABLED")),
    "Libraries": [os.path.join(f, n) for f in folders for n in names],
}))
