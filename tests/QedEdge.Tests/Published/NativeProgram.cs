namespace QedEdge.Tests.Published;

/// <summary>A C program of tests/native, compiled with a published libqed into a folder, as C11 or as C++17.</summary>
internal static class NativeProgram
{
    private static readonly string[] Warnings = ["-Wall", "-Wextra", "-pedantic", "-Werror"];

    /// <summary>Compiles with a compiler of that name, which also says the language and the machine.</summary>
    /// <param name="folder">Receives the executable.</param>
    /// <param name="name">The program's name: tests/native/NAME.c.</param>
    /// <param name="compiler">gcc, g++, clang, clang++, aarch64-linux-gnu-gcc.</param>
    /// <param name="library">libqed.so or libqed.a.</param>
    /// <returns>The executable's file.</returns>
    public static string Compile(string folder, string name, string compiler, string library)
    {
        string file = PublishedPrograms.File(library, compiler.StartsWith("aarch64", StringComparison.Ordinal) ? "arm64" : "x64"), libraries = Path.GetDirectoryName(file)!;
        Tools.Require(compiler);
        string program = Path.Combine(folder, $"{name}-{compiler}-{library}");
        Succeed(Tools.Run(compiler, [.. Language(compiler), .. Warnings, "-I", libraries, Source(name), "-x", "none", file, "-lm", "-ldl", "-pthread", $"-Wl,-rpath,{libraries}", "-o", program]));
        return program;
    }

    /// <summary>Checks a source file for errors and warnings.</summary>
    public static void Check(string file, string compiler, params string[] more)
    {
        Tools.Require(compiler);
        Succeed(Tools.Run(compiler, [.. Language(compiler), .. Warnings, .. more, "-fsyntax-only", "-I", Path.Combine(TestData.Root, "src", "QedEdge.Native"), file]));
    }

    /// <summary>The file of a program.</summary>
    public static string Source(string name) => Path.Combine(TestData.Root, "tests", "native", $"{name}.c");

    private static string[] Language(string compiler) => compiler.EndsWith("++", StringComparison.Ordinal) ? ["-std=c++17", "-x", "c++"] : ["-std=c11", "-x", "c"];

    private static void Succeed(ProgramResult result) => Assert.True(result.ExitCode == 0 && result.Error == "", result.Output + result.Error);
}
