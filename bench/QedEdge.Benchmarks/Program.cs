using BenchmarkDotNet.Running;

BenchmarkSwitcher.FromAssembly(typeof(QedEdge.Benchmarks.GemmBenchmarks).Assembly).Run(args);
