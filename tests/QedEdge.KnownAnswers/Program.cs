using QedEdge.Kernels;
using QedEdge.Tests.Kernels;

// A line per kernel set and operation: the bits that it gives.
foreach (KernelSet set in KernelRegistry.Available)
{
    foreach (KnownAnswers.Operation operation in KnownAnswers.Operations)
        Console.WriteLine($"{set.Name}\t{operation.Name}\t{operation.Run(set)}");
}
