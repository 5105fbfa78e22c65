#!/usr/bin/env bash
# Makes everything a release has, from the sources alone: build/release.sh DIR
#   executables (qed with the sample model, on x64 with qed-v4 beside it, which takes its place on processors with AVX-512; qed-convert), the C library, Debian packages, NuGet packages, software bills of
#   materials (CycloneDX) and SHA256SUMS, for linux-x64 and linux-arm64.
# From the same commit come the same bytes. REPOSITORY_URL, where it is set, is where the packages say that their sources are. Needs what README.md names for linux-arm64, dpkg-deb and python3; runs on x64.
set -euo pipefail

[ $# -eq 1 ] || { echo "usage: build/release.sh DIR" >&2; exit 2; }
mkdir -p "$1"
output=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
git diff --quiet HEAD || { echo "the work tree has changes that no commit has" >&2; exit 1; }
[ -z "$(ls -A "$output")" ] || { echo "$output is not empty" >&2; exit 1; }

export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)} DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
version=$(sed -n 's|.*<VersionPrefix>\(.*\)</VersionPrefix>.*|\1|p' Directory.Build.props)
work=$PWD/artifacts/release # in the repository, whose folder the compiler does not name
rm -rf "$work"
mkdir -p "$work"
umask 022

# publish FOLDER RUNTIME PROJECT [OPTION...]: compiles ahead of time into $work/FOLDER.
publish() {
    local folder=$1 runtime=$2 project=$3
    shift 3
    [ "$runtime" = linux-x64 ] || set -- "$@" -p:CppCompilerAndLinker=clang -p:LinkerFlavor=lld -p:ObjCopyName=aarch64-linux-gnu-objcopy -p:SysRoot=
    echo "$folder"
    dotnet publish "$project" -c Release -r "$runtime" -o "$work/$folder" --artifacts-path "$work/build/$folder" -p:ContinuousIntegrationBuild=true "$@" >"$work/log" ||
        { cat "$work/log" >&2; exit 1; }
}

# archive NAME FOLDER: FOLDER's files with licence, as NAME.tar.gz.
archive() {
    mkdir -p "$work/tar/$1"
    cp -r "$work/$2/." LICENSE "$work/tar/$1/"
    chmod -R u=rwX,go=rX "$work/tar/$1" # whatever the clone's files may
    tar -C "$work/tar" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -c "$1" | gzip -9n >"$output/$1.tar.gz"
}

for runtime in linux-x64 linux-arm64; do
    publish "qed-$runtime" $runtime src/QedEdge.Cli
    if [ $runtime = linux-x64 ]; then
        publish qed-v4 $runtime src/QedEdge.Cli -p:IlcInstructionSet=x86-64-v4
        cp "$work/qed-v4/qed" "$work/qed-$runtime/qed-v4"
    fi
    publish "qed-convert-$runtime" $runtime converter/qed-convert
    publish "libqed-$runtime" $runtime src/QedEdge.Native
    publish "static-$runtime" $runtime src/QedEdge.Native -p:NativeLib=Static
    cp "$work/static-$runtime/libqed.a" "$work/libqed-$runtime/"
    for product in qed qed-convert libqed; do
        archive "$product-$version-$runtime" "$product-$runtime"
    done
done
build/deb.sh amd64 "$work/qed-linux-x64/qed" "$output/qed_${version}_amd64.deb"
build/deb.sh arm64 "$work/qed-linux-arm64/qed" "$output/qed_${version}_arm64.deb" "$work/qed-linux-x64/qed"

echo packages
for project in src/QedEdge src/QedEdge.Extensions.AI src/QedEdge.Cli converter/qed-convert; do
    dotnet pack $project -c Release -o "$output" --artifacts-path "$work/build/packages" ${REPOSITORY_URL:+-p:RepositoryUrl="$REPOSITORY_URL"} >"$work/log" || { cat "$work/log" >&2; exit 1; }
done

echo bills of materials
dotnet tool restore >/dev/null
for product in qed:src/QedEdge.Cli/QedEdge.Cli.csproj libqed:src/QedEdge.Native/QedEdge.Native.csproj qed-convert:converter/qed-convert/qed-convert.csproj; do
    for runtime in linux-x64 linux-arm64; do
        name=${product%%:*} project=${product#*:}
        dotnet restore "$project" -r $runtime >/dev/null
        dotnet tool run dotnet-CycloneDX "$project" -dpr -biop artifacts/obj -o "$work" -fn bom.json -F Json -ns -sn "$name" -sv "$version" -spv 1.6 >"$work/log" 2>&1 ||
            { cat "$work/log" >&2; exit 1; }
        python3 - "$work/bom.json" "$output/$name-$version-$runtime.cdx.json" <<'END'
import datetime, json, os, sys
bom = json.load(open(sys.argv[1], encoding="utf-8"))
bom["metadata"]["timestamp"] = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
for component in bom["components"]:
    if component["name"].endswith(".Microsoft.DotNet.ILCompiler"):
        component["scope"] = "required"  # the runtime in it is a part of the executable
json.dump(bom, open(sys.argv[2], "w", encoding="utf-8"), indent=2)
END
    done
done

(cd "$output" && sha256sum -- * >"$work/SHA256SUMS")
mv "$work/SHA256SUMS" "$output/"
